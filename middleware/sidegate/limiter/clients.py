"""The clients of one Limiter: one for event loops and one for threads, made when they are asked."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sidegate.asgi.other_loops import AnyLoop
from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.client.config import client_options, require_client
from sidegate.forks import begins_in_children

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidegate.http.settings import Settings


class Clients:
    """The clients that a Limiter's options describe, or the one that they give."""

    def __init__(self, options: Mapping[str, Any], settings: Settings) -> None:
        """ValueError for options that no client can have."""
        self._given: Any = options.get("client")
        self._options: Any = {
            "sidecar": options.get("sidecar") if settings.enabled else "off",
            "secret": options.get("secret"),
            "tls": options.get("tls"),
            "budget": settings.budget,
            "on_unreachable": settings.on_unreachable,
            "otel": options.get("otel"),
        }
        self._any_loop: AnyLoop | None = None
        self._blocking: BlockingClient | None = None
        self._lock = threading.Lock()  # over the two above
        begins_in_children(self)
        if self._given is None:
            client_options(name="app", **self._options)

    @cached_property
    def loops(self) -> Any:  # noqa: ANN401 - AnyLoop, or what the app gave
        """The client for event loops."""
        return self.own if self._given is None else self._given

    @property
    def own(self) -> AnyLoop | None:
        """The client for event loops, if the app gave none."""
        if self._given is not None:
            return None
        with self._lock:
            if self._any_loop is None:
                self._any_loop = AnyLoop(self._options)
            return self._any_loop

    @cached_property
    def threads(self) -> Any:  # noqa: ANN401 - BlockingClient, or what the app gave
        """The client for threads."""
        if self._given is not None:
            return self._given
        with self._lock:
            if self._blocking is None:
                self._blocking = BlockingClient(**self._options)
            return self._blocking

    def to_inspect_in_loops(self) -> Client | AnyLoop:
        """Return what peeks and resets in any loop; ValueError if another kind was given."""
        given = require_client(self._given, Client)
        return self.loops if given is None else given

    def to_wait_in_loops(self) -> Client:
        """Return a Client to wait with; ValueError if another kind was given."""
        given = require_client(self._given, Client)
        return self.loops.client if given is None else given

    def to_use_in_threads(self) -> BlockingClient:
        """Return a BlockingClient to wait, peek and reset; ValueError if another kind was given."""
        given = require_client(self._given, BlockingClient)
        return self.threads if given is None else given

    def count(self, outcome: str) -> None:
        """Count an outcome that the sidecar is to show in its metrics."""
        if self._any_loop is not None:
            self._any_loop.count(outcome)
        elif self._blocking is not None:
            self._blocking.count(outcome)

    def begin_child(self) -> None:
        """Begin in a forked process, where a thread that isn't there may hold the lock."""
        self._lock = threading.Lock()
