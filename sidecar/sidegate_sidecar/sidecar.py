"""A running sidecar: sockets, tasks and signals, and the order in which they start and end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import time
from dataclasses import replace
from functools import partial
from random import SystemRandom
from secrets import randbits, token_bytes
from typing import TYPE_CHECKING

from sidegate.buckets.buckets import Buckets
from sidegate.buckets.limits import SECOND
from sidegate.client.environment import unknown
from sidegate.client.unreachable.fallback import Fallback
from sidegate.protocol.handshake import Identity
from sidegate.protocol.messages import Forget, WireError, refuse
from sidegate_ring.hashring import Ring
from sidegate_ring.membership.membership import State as Life
from sidegate_ring.membership.messages import MAX_AHEAD
from sidegate_ring.places import fingerprint, seeded
from sidegate_sidecar.cgroup import memory_limit, warning
from sidegate_sidecar.cluster.cluster import STALL, Cluster
from sidegate_sidecar.cluster.leaving import Leaving
from sidegate_sidecar.cluster.records.claims import has_claimed, tag_of_process
from sidegate_sidecar.cluster.ticker import Pulse
from sidegate_sidecar.config import Role
from sidegate_sidecar.errors import NOT_SAVED
from sidegate_sidecar.fronts.http.app.lazy import require_app
from sidegate_sidecar.fronts.http.server import HttpServer
from sidegate_sidecar.links.discovery import Discovery
from sidegate_sidecar.links.listener import Listener
from sidegate_sidecar.links.peers import Peers
from sidegate_sidecar.links.secret_files import look_at_secrets
from sidegate_sidecar.links.sessions import Sessions
from sidegate_sidecar.links.sockets import (
    HTTP_BACKLOG,
    ListenError,
    listen,
    listen_unix,
    max_open_files,
    raise_file_limit,
    remove_unix,
)
from sidegate_sidecar.machine_time import machine_clock
from sidegate_sidecar.node.forward import OWNERS_SHARE
from sidegate_sidecar.node.node import ANSWERS_SHARE, Node
from sidegate_sidecar.persistence.state_file import StateFile
from sidegate_sidecar.telemetry.fullness import Fullness
from sidegate_sidecar.telemetry.logs import log_to_stderr

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine
    from ssl import SSLContext
    from typing import Self

    from sidegate.link.address import Address
    from sidegate.link.link import Link
    from sidegate.protocol.messages import Hello, NodeMessage
    from sidegate_ring.membership.membership import Member
    from sidegate_sidecar.cluster.departure import Departure
    from sidegate_sidecar.config import Config

log = logging.getLogger("sidegate")

LOOKING = "still joining: not all seeds have answered or failed, or sent what this node will own"
TELL_EVERY = 10.0  # seconds between two words to all apps about the ring, which hear of changes
LOOK_EVERY = 0.005  # seconds between two looks whether all forwarded checks have come back
FAREWELL = 2.0  # seconds for apps to find another sidecar: a Service takes as long to forget one
EPOCH = 1_767_225_600  # 2026, in seconds since 1970: a clock before it is wrong
SWEEP_EVERY = 0.1  # seconds between two looks for buckets that are full again
NO_RING_SEED = (
    "there is no ring seed, so whoever can make up keys can make them up for one node: give all"
    " nodes the same --ring-seed-file (or SIDEGATE_RING_SEED)"
)
SWEEP_SLICE = 500  # buckets at a time: a quarter of a millisecond


class Sidecar:
    """One node with its sockets; `async with Sidecar(config):` runs it in the present loop.

    Port 0 takes a free one; `link` and `http` say which.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._link_socket = listen("link", config.link)
        try:
            self._http_socket = listen("http", config.http, HTTP_BACKLOG)
        except ListenError:
            self._link_socket.close()
            raise
        self.link = _bound(self._link_socket, config.link)
        self.http = _bound(self._http_socket, config.http)
        instance = token_bytes(16)
        me = Identity(
            "node",
            config.name,
            config.cluster,
            config.secrets,
            str(self.link),
            instance,
            config.node_secrets,
            fingerprint(config.ring_seed),
        )
        self.clock = machine_clock()
        buckets = Buckets(config.max_memory)
        patience = config.budget * ANSWERS_SHARE * OWNERS_SHARE
        self.peers = Peers(me, self._context, self, patience)
        self.cluster = Cluster(
            config.name,
            str(self.link),
            buckets,
            self,
            incarnation=int(time.time()),
            randrange=SystemRandom().randrange,
            now=self.clock(),
            tag=tag_of_process(instance),
            leaf=config.role is Role.LEAF,
            stall=max(STALL, int(patience * SECOND)),
            empty=Ring(key_hash=seeded(config.ring_seed)),
        )
        self.leaving = Leaving(self.cluster, self.clock, self._expects_others)
        self.cluster.on_stage = self.leaving.staged
        saved = bool(config.state_file)
        self.state = (
            StateFile(config.state_file, buckets, self.clock, resets=self.cluster.sync.resets)
            if saved
            else None
        )
        self.pulse = Pulse(self.cluster, self.clock, lambda: self.node.asked)
        fallback = Fallback(config.on_unreachable, buckets)
        self.node = Node(
            config.name,
            buckets,
            self.cluster,
            self,
            fallback,
            budget=config.budget,
            clock=self.clock,
            wake=self.pulse.wake,
            serial=randbits(62),
            later=lambda work: asyncio.get_running_loop().call_soon(work),
            after=lambda wait, work: asyncio.get_running_loop().call_later(wait, work),
        )
        self.sessions = Sessions(
            self.node, self.peers, me, config.most_connections, max_open_files()
        )
        self.discovery = Discovery(
            config.seeds, self.peers, self.cluster, self._join, self._shut_out
        )
        self.peers.on_refusal = self.discovery.look
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Listener] = []
        self._unix = ""  # the path of our Unix socket, once it is ours
        self.http_server = HttpServer(self, self._http_socket)

    @property
    def ready(self) -> bool:
        """Has it had a place on the ring, or found the others if it is a leaf?"""
        return self.cluster.joined

    @property
    def why_not_ready(self) -> str:
        """Return why this node isn't ready, for people; empty if it is."""
        if self.ready:
            return ""
        if why := self.discovery.refusal:
            return f"not on the ring: {why}"
        return LOOKING

    def _join(self) -> None:
        self.cluster.join(self.clock())

    def _expects_others(self) -> bool:
        return not all(map(self.peers.is_me, self.config.seeds))

    def _shut_out(self) -> bool:
        return self.cluster.shut_out(self.clock())

    # --- the mesh: what the cluster asks of the links

    def post(self, name: str, message: NodeMessage, /) -> None:
        """Send a message to a node, if it can be reached."""
        self.peers.post(name, message)

    def is_up(self, name: str, /) -> bool:
        """Tell if messages to that node arrive, as far as we know."""
        return self.peers.is_up(name)

    def members_changed(self, changed: list[Member], /) -> None:
        """Link to who is new, and let go of who is gone."""
        self.peers.members_changed(changed)

    def ring_changed(self, /) -> None:
        """Tell the apps how many nodes there are."""
        self.sessions.tell_ring()

    # --- what links tell

    def met(self, name: str, /) -> None:
        """Handle that a link to a node came up, or is trusted again."""
        self.leaving.has_met = True
        self.cluster.met(name, self.clock())
        self.pulse.hurry()

    def lost(self, name: str, /) -> None:
        """Handle that the link to a node broke."""
        self.cluster.lost(name, self.clock())
        self.pulse.hurry()

    def heard(self, name: str, message: NodeMessage, host: str, /) -> None:
        """Handle a message of a node; WireError for one that makes no sense."""
        if isinstance(message, Forget):
            refuse(message)
        self.peers.require_addresses(message)
        membership = self.cluster.membership
        membership.max_incarnation = max(int(time.time()), EPOCH) + MAX_AHEAD
        membership.is_open = not self.cluster.joined
        try:
            self.cluster.step(name, message, self.clock(), host)
        except ValueError as error:
            raise WireError("bad-message", str(error)) from None
        self.pulse.hurry()

    def changed(self) -> None:
        """Count a connection of our own that somebody between spoiled, like one of the others'."""
        self.node.counts.turned_away["changed"] += 1

    def is_alive(self, name: str, /) -> bool:
        """Tell if a node answers, as far as the nodes know."""
        member = self.cluster.membership.members.get(name)
        return member is None or member.state is Life.ALIVE

    def is_gone(self, name: str, /) -> bool:
        """Tell if a node is dead, has left, or never said a word."""
        member = self.cluster.membership.members.get(name)
        return member is None or not member.living

    def has_claimed(self, hello: Hello, /) -> bool | None:
        """Tell if the name in a Hello is its process's own; None if nobody alive has claimed it."""
        return has_claimed(self.cluster.membership.members.get(hello.name), hello)

    def node_at(self, address: str, /) -> str:
        """Return the name of the node that has that address, or had it last; empty if none has."""
        members = self.cluster.membership.members.values()
        return next((member.name for member in members if member.address == address), "")

    # --- the links, as the node uses them

    def link_to(self, name: str, /) -> Link | None:
        """Return the link to a node, None if there is none."""
        return self.peers.link_to(name)

    def forget(self, key: str, /) -> None:
        """Have the apps of this node forget that a key was denied: it was reset."""
        self.sessions.forget(Forget(key))

    def _context(self) -> SSLContext | None:
        return self.config.tls.context() if self.config.tls else None

    async def start(self) -> None:
        """Listen, first to apps, then to nodes, then to HTTP, and look for the other nodes."""
        if self.state is not None:
            self.state.load()
            self.cluster.begin(self.clock())
            self._run(self.state.run())
        accept, admission = self.sessions.accept, self.sessions.admission
        self._listeners.append(Listener(self._link_socket, admission, accept, self.config.tls))
        if self.config.socket:
            unix = listen_unix("socket", self.config.socket, self.config.socket_mode)
            self._unix = self.config.socket
            self._listeners.insert(0, Listener(unix, admission, partial(accept, is_unix=True)))
        for listener in self._listeners:
            await listener.start()
        await self.http_server.start()
        self.pulse.start()
        self._run(self.discovery.run())
        self._run(self.sessions.sweep())
        self._run(self._tell_ring())
        self._run(look_at_secrets(self.config))
        self._run(self._sweep_buckets())
        log.info("node %s: link %s, http %s", self.config.name, self.link, self.http)
        if self.config.can_be_aimed_at:
            log.warning("node %s: %s", self.config.name, NO_RING_SEED)

    def _run(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(_tell_fault)
        self._tasks.append(task)

    async def leave(self) -> Departure:
        """Leave the ring and hand over, within the drain; go on forwarding as a leaf.

        The last owner waits for another node first, unless it never had one or saves its buckets
        in a file, and stays on the ring if none comes.
        """
        return await self.leaving.leave(self.config.drain, saved=self.state is not None)

    async def see_apps_off(self, within: float) -> None:
        """Have apps look for another sidecar; forward what they ask until they have found one."""
        self.sessions.say_goodbye()
        await _until(lambda: not self.sessions.has_apps, min(within, FAREWELL))

    async def depart(self) -> int:
        """Answer what was asked and no more, tell all that it is gone, save what it held.

        Return the exit code: 0 unless that was lost, or could not be saved.
        """
        self.sessions.stop_reading()
        links = [peer.link for peer in self.peers.by_name.values()]
        await _until(
            lambda: not (self.node.paused or any(link.in_flight for link in links)),
            self.config.budget,
        )
        self.cluster.depart(self.clock())
        if self.state is None:
            return self.leaving.end()
        saved = await self.state.save()
        if not self.state.failing:
            log.info("node %s: %d buckets saved", self.config.name, saved)
            return 0
        log.error("node %s: its last buckets could not be saved", self.config.name)
        return NOT_SAVED

    async def stop(self) -> None:
        """Take no more connections, answer what is there, close, remove the Unix socket."""
        self.pulse.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listener in self._listeners:
            await listener.close()
        self.sessions.close()
        await self.peers.close()
        await self.http_server.stop()
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
        node, fullness = self.node, Fullness()
        while True:
            looked_at = node.buckets.sweep(node.clock(), SWEEP_SLICE)
            if line := fullness.line(node.buckets, node.clock() / SECOND):
                log.warning(line)
            more = looked_at >= SWEEP_SLICE
            await asyncio.sleep(0 if more else SWEEP_EVERY)  # 0: checks go first


async def serve(config: Config) -> int:
    """Run a sidecar until SIGTERM or SIGINT, leave; a second one ends it at once.

    Return the exit code: 0 unless something was lost at the end.
    """
    raise_file_limit(config.most_connections)
    signals: asyncio.Queue[None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, None)
    async with Sidecar(config) as sidecar:
        gc.collect()
        gc.freeze()  # what is here now stays; a full collection needn't look at it again
        gc.set_threshold(100_000, 50, 50)
        await signals.get()
        log.info("node %s: stopping", config.name)
        code: int | None = None

        async def leave() -> None:
            nonlocal code
            code = await _leave(sidecar)

        await _unless(signals.get(), leave())
        return sidecar.leaving.end(at_once=True) if code is None else code


async def _leave(sidecar: Sidecar) -> int:
    departure = await sidecar.leave()
    await sidecar.see_apps_off(sidecar.config.drain - departure.seconds)
    if departure.left:  # who starts just now may know no other address
        new_for = sidecar.cluster.newcomers.new_for(sidecar.config.name, sidecar.clock()) / SECOND
        await asyncio.sleep(min(new_for, sidecar.config.drain))
    return await sidecar.depart()


async def _until(done: Callable[[], bool], within: float) -> None:
    """Wait until something is done, for `within` seconds at most."""
    deadline = time.monotonic() + within
    while not done():
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(LOOK_EVERY)


async def _unless(
    stop: Coroutine[object, object, None], work: Coroutine[object, object, None]
) -> None:
    """Do some work unless told to stop."""
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(stop), loop.create_task(work)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.add_done_callback(_tell_fault)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _tell_fault(task: asyncio.Task[None]) -> None:
    """Log what ended a task that should not have ended."""
    if not task.cancelled() and (fault := task.exception()):
        log.error("a fault in sidegate; please report it", exc_info=fault)


def run_until_signal(config: Config, log_level: str) -> int:
    """Run a sidecar until SIGTERM or SIGINT, on uvloop where there is one; log to stderr.

    Return the exit code.
    """
    require_app()
    log_to_stderr(log_level)
    for line in unknown(os.environ):
        log.warning("%s", line)
    if line := warning(config.max_memory, memory_limit()):
        log.warning("%s", line)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(serve(config))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  # not on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


def _bound(listening: socket.socket, wanted: Address) -> Address:
    return replace(wanted, port=listening.getsockname()[1])
