"""The sessions of one cache: one for each event loop that asks, as long as that lives."""

from __future__ import annotations

import threading
from asyncio import get_running_loop, run_coroutine_threadsafe, wrap_future
from typing import TYPE_CHECKING

from sidegate.cache.session import CacheSession
from sidegate.errors import NoEventLoop
from sidegate.forks import begins_in_children

if TYPE_CHECKING:
    import asyncio

    from sidegate.link.endpoint import Endpoint


class CacheLoops:
    """Sessions by loop, which end with it, or by `close`."""

    def __init__(self, options: Endpoint, name: str, near: int) -> None:
        self._made_of = options, name, near
        self._lock = threading.Lock()
        self._sessions: dict[asyncio.AbstractEventLoop, CacheSession] = {}
        begins_in_children(self)

    def begin_child(self) -> None:
        """Begin anew in a forked process, where the loops don't run."""
        self._lock = threading.Lock()
        self._sessions = {}

    def here(self) -> CacheSession:
        """Return the session of the running loop, a new one if it has none. NoEventLoop."""
        try:
            loop = get_running_loop()
        except RuntimeError:
            raise NoEventLoop from None
        session = self._sessions.get(loop)
        if session is None:
            session = CacheSession(loop, *self._made_of, self._ended)
            with self._lock:
                for closed in [it for it in self._sessions if it.is_closed()]:
                    del self._sessions[closed]
                self._sessions[loop] = session
        return session

    def _ended(self, session: CacheSession) -> None:
        with self._lock:
            if self._sessions.get(session.loop) is session:
                del self._sessions[session.loop]

    async def close(self) -> None:
        """Close all connections; a later question connects again."""
        with self._lock:
            sessions, self._sessions = self._sessions, {}
        here = get_running_loop()
        for loop, session in sessions.items():
            if loop is here:
                await session.close()
            elif loop.is_running():
                await wrap_future(run_coroutine_threadsafe(session.close(), loop))
