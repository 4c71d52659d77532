"""A running sidecar: sockets, tasks and signals, and the order in which they start and end."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from dataclasses import replace
from secrets import token_bytes
from typing import TYPE_CHECKING

from headgate.buckets import Buckets
from headgate.fallback import Fallback
from headgate.handshake import Identity
from headgate_sidecar.api import create_app
from headgate_sidecar.discovery import Discovery
from headgate_sidecar.http import HttpServer
from headgate_sidecar.logs import log_to_stderr
from headgate_sidecar.node import OWNERS_SHARE, Node
from headgate_sidecar.peers import Peers
from headgate_sidecar.sessions import Sessions
from headgate_sidecar.sockets import ListenError, listen, listen_unix, raise_file_limit, remove_unix
from headgate_sidecar.tls import Listener

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine
    from ssl import SSLContext
    from typing import Self

    from headgate.address import Address
    from headgate_sidecar.config import Config

log = logging.getLogger("headgate")

TELL_EVERY = 1.0  # seconds between two words to all sides about the ring
SWEEP_EVERY = 0.1  # seconds between two looks for buckets that are full again
SWEEP_SLICE = 500  # buckets at a time: a quarter of a millisecond


class Sidecar:
    """One node with its sockets; `async with Sidecar(config):` runs it in the present loop.

    Port 0 takes a free one; `link` and `http` say which.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._link_socket = listen("link", config.link)
        try:
            self._http_socket = listen("http", config.http)
        except ListenError:
            self._link_socket.close()
            raise
        self.link = _bound(self._link_socket, config.link)
        self.http = _bound(self._http_socket, config.http)
        me = Identity(
            "node", config.name, config.cluster, config.secret, str(self.link), token_bytes(16)
        )
        buckets = Buckets(config.most_keys)
        patience = config.budget * OWNERS_SHARE
        self.peers = Peers(me, self._context, self._ring_changed, patience)
        fallback = Fallback(config.on_unreachable, buckets)
        self.node = Node(config.name, buckets, self.peers, fallback, budget=config.budget)
        self.sessions = Sessions(self.node, me, config.most_connections)
        self.discovery = Discovery(config.seeds, self.peers)
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Listener] = []
        self._unix = ""  # the path of our Unix socket, once it is ours
        self._http_server = HttpServer(create_app(self), self._http_socket)

    @property
    def ready(self) -> bool:
        """Has it looked for the other nodes once?"""
        return self.discovery.settled.is_set()

    def _context(self) -> SSLContext | None:
        return self.config.tls.context() if self.config.tls else None

    def _ring_changed(self) -> None:
        self.sessions.tell_ring()

    async def start(self) -> None:
        """Listen, first to apps, then to nodes, then to HTTP, and look for the other nodes."""
        accept = self.sessions.accept
        self._listeners.append(Listener(self._link_socket, accept, self.config.tls))
        if self.config.socket:
            unix = listen_unix("socket", self.config.socket)
            self._unix = self.config.socket
            self._listeners.insert(0, Listener(unix, lambda: accept(trust_apps=True)))
        for listener in self._listeners:
            await listener.start()
        await self._http_server.start()
        self._run(self.discovery.run())
        self._run(self.sessions.sweep())
        self._run(self._tell_ring())
        self._run(self._sweep_buckets())
        log.info("node %s: link %s, http %s", self.config.name, self.link, self.http)

    def _run(self, work: Coroutine[object, object, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    async def stop(self) -> None:
        """Take no more connections, answer what is there, close, remove the Unix socket."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listener in self._listeners:
            await listener.close()
        self.sessions.close()
        await self.peers.close()
        await self._http_server.stop()
        remove_unix(self._unix)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _tell_ring(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY)
            self.sessions.tell_ring()

    async def _sweep_buckets(self) -> None:
        node = self.node
        while True:
            looked_at = node.buckets.sweep(node.clock(), SWEEP_SLICE)
            more = looked_at >= SWEEP_SLICE
            await asyncio.sleep(0 if more else SWEEP_EVERY)  # 0: checks go first


async def serve(config: Config) -> None:
    """Run a sidecar until SIGTERM or SIGINT."""
    raise_file_limit(config.most_connections)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Sidecar(config):
        gc.collect()
        gc.freeze()  # what is here now stays; a full collection needn't look at it again
        gc.set_threshold(100_000, 50, 50)
        await stop.wait()
        log.info("node %s: stopping", config.name)


def run_until_signal(config: Config, log_level: str) -> None:
    """Run a sidecar until SIGTERM or SIGINT, on uvloop where there is one; log to stderr."""
    log_to_stderr(log_level)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(config))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  # not on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


def _bound(listening: socket.socket, wanted: Address) -> Address:
    return replace(wanted, port=listening.getsockname()[1])
