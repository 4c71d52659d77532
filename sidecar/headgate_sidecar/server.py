"""A running sidecar: sockets, tasks and signals, and the order in which they start and end."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from secrets import token_bytes
from typing import TYPE_CHECKING

from headgate.address import Address
from headgate.buckets import Buckets
from headgate.fallback import Fallback
from headgate.handshake import Identity
from headgate_sidecar.api import create_app
from headgate_sidecar.discovery import Discovery
from headgate_sidecar.http import HttpServer
from headgate_sidecar.node import Node
from headgate_sidecar.peers import Peers
from headgate_sidecar.sessions import Sessions
from headgate_sidecar.tls import Listener

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from ssl import SSLContext

    from headgate_sidecar.config import Config

log = logging.getLogger("headgate")

TELL_EVERY = 1.0  # seconds between two words to all sides about the ring
SWEEP_EVERY = 0.1  # seconds between two looks for buckets that are full again
SWEEP_SLICE = 500  # buckets at a time: a quarter of a millisecond
BACKLOG = 4_096  # connections that may wait to be accepted: all workers of a pod start at once


class Sidecar:
    """One node with its sockets; `async with Sidecar(config):` runs it in the present loop.

    Port 0 takes a free one; `link` and `http` say which.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._link_socket = _listen(config.link)
        self._http_socket = _listen(config.http)
        self.link = _bound(self._link_socket, config.link)
        self.http = _bound(self._http_socket, config.http)
        me = Identity(
            "node", config.name, config.cluster, config.secret, str(self.link), token_bytes(16)
        )
        buckets = Buckets(config.most_keys)
        self.peers = Peers(me, self._context, changed=self._ring_changed)
        fallback = Fallback(config.on_unreachable, buckets)
        self.node = Node(config.name, buckets, self.peers, fallback, budget=config.budget)
        self.sessions = Sessions(self.node, me, config.most_connections)
        self.discovery = Discovery(config.seeds, self.peers)
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Listener] = []
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
        if self.config.socket:
            unix = _listen_unix(self.config.socket)
            trusting = Listener(unix, lambda: accept(trust_apps=True))
            self._listeners.append(trusting)
        self._listeners.append(Listener(self._link_socket, accept, self.config.tls))
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
        if self.config.socket:
            Path(self.config.socket).unlink(missing_ok=True)

    async def __aenter__(self) -> Sidecar:
        await self.start()
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
            await asyncio.sleep(SWEEP_EVERY)
            while node.buckets.sweep(node.clock(), SWEEP_SLICE) >= SWEEP_SLICE:
                await asyncio.sleep(0)  # checks go first


async def serve(config: Config) -> None:
    """Run a sidecar until SIGTERM or SIGINT."""
    _raise_file_limit(config.most_connections)
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


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setblocking(False)
    try:
        listening.bind((address.host, address.port))
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"can't listen on {address}: {error.strerror}") from None
    listening.listen(BACKLOG)
    return listening


def _listen_unix(path: str) -> socket.socket:
    """Listen on a Unix socket that the group may use too; a stale one is replaced."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.setblocking(False)
    try:
        if _is_stale(path):
            Path(path).unlink()
        listening.bind(path)
        Path(path).chmod(0o660)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"can't listen on unix:{path}: {error.strerror}") from None
    listening.listen(BACKLOG)
    return listening


def _is_stale(path: str) -> bool:
    """Is there a socket file behind which nobody listens?"""
    if not Path(path).is_socket():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
    return False


def _bound(listening: socket.socket, wanted: Address) -> Address:
    return replace(wanted, port=listening.getsockname()[1])


def _raise_file_limit(connections: int) -> None:
    """Allow as many open files as connections and some, as far as the system lets us."""
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415  # not on Windows

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = connections + 1_024
        if soft != resource.RLIM_INFINITY and soft < wanted:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
