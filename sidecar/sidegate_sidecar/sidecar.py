"""A sidecar: the parts of one node, and the order in which they start and end."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from functools import partial
from random import SystemRandom
from secrets import randbits, token_bytes
from typing import TYPE_CHECKING

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.limits import SECOND
from sidegate.client.unreachable.fallback import Fallback
from sidegate.protocol.handshake import Identity
from sidegate.protocol.messages import Forget
from sidegate.reservations.reservation_ids import ReservationIds
from sidegate_ring.hashring import Ring
from sidegate_ring.places import fingerprint, seeded
from sidegate_sidecar.cluster.cluster import STALL, Cluster
from sidegate_sidecar.cluster.leaving import Leaving
from sidegate_sidecar.cluster.records.claims import tag_of_process
from sidegate_sidecar.cluster.ticker import Ticker
from sidegate_sidecar.config import Role
from sidegate_sidecar.errors import NOT_SAVED
from sidegate_sidecar.links.caching.cache_links import CacheLinks
from sidegate_sidecar.links.discovery import Discovery
from sidegate_sidecar.links.inbox.inbox import Inbox
from sidegate_sidecar.links.listener import Listener
from sidegate_sidecar.links.peers import Peers
from sidegate_sidecar.links.secret_files import look_at_secrets
from sidegate_sidecar.links.sessions import Sessions
from sidegate_sidecar.links.sockets import listen, listen_unix, remove_unix
from sidegate_sidecar.machine_time import machine_clock
from sidegate_sidecar.node.forward import OWNERS_SHARE
from sidegate_sidecar.node.local import ANSWERS_SHARE
from sidegate_sidecar.node.node import Node
from sidegate_sidecar.node.upkeep import Upkeep
from sidegate_sidecar.open_files import max_open_files
from sidegate_sidecar.persistence.state_file import StateFile
from sidegate_sidecar.reports.activity import Activity
from sidegate_sidecar.reports.counting import Counting

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine
    from ssl import SSLContext
    from typing import Self

    from sidegate.link.address import Address
    from sidegate.ruleset.ruleset import RuleSet
    from sidegate_sidecar.cluster.place.handover import Departure
    from sidegate_sidecar.config import Config
    from sidegate_sidecar.rules_file.rules_in_force import RulesInForce

log = logging.getLogger("sidegate")

LOOKING = "still joining: not all seeds have answered or failed, or sent what this node will own"
TELL_EVERY = 10.0  # seconds between two words to all apps about the ring, which hear of changes
FIRST_BITS = 29  # of what tells the tokens of this life from those of others
LOOK_EVERY = 0.005  # seconds between two looks whether all forwarded checks have come back
FAREWELL = 2.0  # seconds for apps to find another sidecar: a Service takes as long to forget one
NO_RING_SEED = (
    "there is no ring seed, so whoever can make up keys can make them up for one node: give all"
    " nodes the same --ring-seed-file (or SIDEGATE_RING_SEED)"
)
OPENS_ON_SPLIT = "--on-split quorum, but --on-unreachable open: a smaller side lets all through"


class Sidecar:
    """One node with its sockets; `async with Sidecar(config):` runs it in the present loop.

    Port 0 takes a free one; `link` says which.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._link_socket = listen("link", config.link)
        self.link = bound(self._link_socket, config.link)
        instance = token_bytes(16)
        me = _identity(config, str(self.link), instance)
        self.clock = machine_clock()
        buckets = BucketTable(config.max_memory)
        buckets.windows.set(time.time_ns() - self.clock())
        patience = config.budget * ANSWERS_SHARE * OWNERS_SHARE
        self.peers = Peers(me, self._context, patience)
        self.cluster = Cluster(
            config.name,
            str(self.link),
            buckets,
            self.peers,
            incarnation=int(time.time()),
            randrange=SystemRandom().randrange,
            now=self.clock(),
            tag=tag_of_process(instance),
            leaf=config.role is Role.LEAF,
            zone=config.zone,
            on_split=config.on_split,
            stall=max(STALL, int(patience * SECOND)),
            reservation_ids=ReservationIds(config.cluster, config.node_secrets, time.time_ns),
            empty=Ring(key_hash=seeded(config.ring_seed)),
        )
        self.leaving = Leaving(self.cluster, self.clock, self._expects_others)
        self.state: StateFile | None = None
        if config.state_file:
            resets = self.cluster.sync.resets
            self.state = StateFile(config.state_file, buckets, self.clock, resets=resets)
        self.rules = _rules(config.rules) if config.rules else None
        self.ticker = Ticker(self.cluster, self.clock, self._asked)
        self.node = self._make_node(buckets)
        self.sessions = Sessions(
            *(self.node, self.peers, me),
            config.max_connections,
            max_open_files(),
            config.shown_key,
        )
        self.discovery = Discovery(
            config.seeds, self.peers, self.cluster, self._join, self._shut_out
        )
        self.cache = self._make_cache() if config.cache_bytes else None
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Listener] = []
        self._unix = ""  # the path of our Unix socket, once it is ours
        self._connect()

    def _asked(self) -> int:
        return self.node.asked + self.node.reservations.asked

    def _make_node(self, buckets: BucketTable) -> Node:
        return Node(
            self.config.name,
            buckets,
            self.cluster,
            self.peers,
            Fallback(self.config.on_unreachable, buckets),
            budget=self.config.budget,
            clock=self.clock,
            wake=self.ticker.wake,
            serial=randbits(62),
            later=_soon,
            after=lambda wait, work: asyncio.get_running_loop().call_later(wait, work),
            counting=self._make_counting(),
        )

    def _make_counting(self) -> Counting | None:
        """Return what counts for reports, on a clock whose seconds begin with those of all nodes.

        It is set once: so it never goes back.
        """
        if not self.config.report_rules:
            return None
        began = time.time_ns() - self.clock()
        bounds = self.config.report_rules, self.config.report_memory
        return Counting(Activity(*bounds), lambda: began + self.clock(), _soon, Activity(*bounds))

    def _make_cache(self) -> CacheLinks:
        return CacheLinks(
            self.cluster,
            self.peers,
            self.clock,
            self.config.cache_bytes,
            first=randbits(FIRST_BITS) + 1,
            patience=self.config.budget * ANSWERS_SHARE,
        )

    def _connect(self) -> None:
        """Let the parts that were made first tell those that came after."""
        if self.cache is not None:
            self.sessions.cache = self.cache
        self.peers.inbox = Inbox(
            self.cluster,
            self.ticker,
            self.leaving,
            self.node.counts,
            self.clock,
            self.sessions.cache,
            self.sessions.slots,
        )
        self.node.pace = self.ticker
        self.peers.on_refusal = self.discovery.look
        self.cluster.place.on_stage = self.leaving.staged
        self.cluster.on_ring = self._ring_changed
        if self.rules is not None:
            self.rules.on_change = self._rules_changed
            self._hold_rules(self.rules)
        self.cluster.on_reset = lambda key, begins: self.sessions.forget(Forget(key, int(begins)))

    def _rules_changed(self, rules: RuleSet) -> None:
        self.sessions.rules.put(rules)
        assert self.rules is not None  # or nothing would have changed
        self._hold_rules(self.rules)

    def _hold_rules(self, rules: RulesInForce) -> None:
        self.cluster.hold_rules(rules.digest)
        fixed = [rule.name for rule in rules.value.rules if not rule.plan_limits]
        self.node.buckets.ruled = frozenset(f"{name}:" for name in fixed)

    def rules_in_force(self) -> RuleSet | None:
        """Return the rules of its file as they are now, None without one."""
        return None if self.rules is None else self.rules.value

    def _ring_changed(self) -> None:
        self.sessions.tell_ring()
        self.sessions.cache.ring_changed()
        self.sessions.slots.ring_changed()

    @property
    def ready(self) -> bool:
        """Has it had a place on the ring, or found the others if it is a leaf?"""
        return self.cluster.place.joined

    @property
    def why_not_ready(self) -> str:
        """Return why this node isn't ready, for people; empty if it is."""
        if self.ready:
            return ""
        if why := self.discovery.refusal:
            return f"not on the ring: {why}"
        return LOOKING

    def _join(self) -> None:
        self.cluster.place.join(self.clock())

    def _expects_others(self) -> bool:
        return not all(map(self.peers.is_me, self.config.seeds))

    def _shut_out(self) -> bool:
        return self.cluster.place.shut_out(self.clock())

    def _context(self) -> SSLContext | None:
        return self.config.tls.context() if self.config.tls else None

    async def start(self) -> None:
        """Listen, first to apps, then to nodes, and look for the other nodes."""
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
        self.ticker.start(Upkeep(self.node, self.clock, time.time_ns, self._keep_up, _soon).tick)
        self._run(self.discovery.run())
        self._run(self._tell_ring())
        self._run(look_at_secrets(self.config))
        self._run(self.sessions.slots.run())
        if self.rules is not None:
            self.sessions.rules.put(self.rules.value)
            self._run(self.rules.run())
        if self.cache is not None:
            self._run(self.cache.run())
        if self.config.can_be_aimed_at:
            log.warning("node %s: %s", self.config.name, NO_RING_SEED)
        if self.config.opens_on_split:
            log.warning("node %s: %s", self.config.name, OPENS_ON_SPLIT)

    def _keep_up(self, now: int) -> None:
        self.sessions.told_events.tick(now)
        self.sessions.look()

    def _run(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(tell_fault)
        self._tasks.append(task)

    async def leave(self) -> Departure:
        """Leave the ring and hand over, slots and values last, within the drain; forward as a leaf.

        The last owner waits for another node first, unless it never had one or saves its buckets
        in a file, and stays on the ring if none comes.
        """
        drain = self.config.drain
        departure = await self.leaving.leave(drain, saved=self.state is not None)
        slots = self.sessions.slots.node.handover
        await _until(lambda: slots.is_over, drain - departure.seconds)
        if self.cache is not None:
            handover = self.cache.node.handover
            await _until(lambda: handover.is_over, drain - departure.seconds)
        return departure

    async def see_apps_off(self, within: float) -> None:
        """Have apps look for another sidecar; forward what they ask until they have found one."""
        self.sessions.say_goodbye()
        await _until(lambda: not self.sessions.has_apps, min(within, FAREWELL))

    async def depart(self) -> int:
        """Answer what was asked and no more, tell all that it is gone, save what it held.

        Return the exit code: 0 unless that was lost, or could not be saved.
        """
        self.sessions.stop_reading()
        self.sessions.told_events.pass_on()
        links = [peer.link for peer in self.peers.by_name.values()]
        await _until(
            lambda: not (self.node.forwarding.paused or any(link.in_flight for link in links)),
            self.config.budget,
        )
        self.cluster.place.depart(self.clock())
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
        self.ticker.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listener in self._listeners:
            await listener.close()
        self.sessions.close()
        self.sessions.cache.close()
        await self.peers.close()
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
            self.cluster.rules.look(self.clock())


async def _until(done: Callable[[], bool], within: float) -> None:
    """Wait until something is done, for `within` seconds at most."""
    deadline = time.monotonic() + within
    while not done():
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(LOOK_EVERY)


def _soon(work: Callable[[], None]) -> None:
    """Call in the next turn of the loop."""
    asyncio.get_running_loop().call_soon(work)


def tell_fault(task: asyncio.Task[None]) -> None:
    """Log what ended a task that should not have ended."""
    if not task.cancelled() and (fault := task.exception()):
        log.error("a fault in sidegate; please report it", exc_info=fault)


def _identity(config: Config, link: str, instance: bytes) -> Identity:
    return Identity(
        "node",
        config.name,
        config.cluster,
        config.secrets,
        link,
        instance,
        config.node_secrets,
        fingerprint(config.ring_seed),
    )


def _rules(file: str) -> RulesInForce:
    from sidegate_sidecar.rules_file.rules_in_force import RulesInForce  # noqa: PLC0415

    return RulesInForce(file)


def bound(listening: socket.socket, wanted: Address) -> Address:
    """Return the address that a socket listens at, where any port was wanted."""
    return replace(wanted, port=listening.getsockname()[1])
