"""A network in one process: a virtual clock, hosts, connections, and all that can befall them.

Nothing here waits, and nothing is random but for one seed: a run takes as long as what its hosts
do, and the same seed makes the same run. Messages are opaque; in a run that is traced their `repr`
must be the same each time.

Hosts talk over connections, which somebody has to dial. When a host crashes its connections break
at once, and the other ends are told `lost`, if word can get to them. They don't break when a host
pauses, or a direction is cut: then messages wait, or are gone.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from heapq import heappop, heappush
from random import Random
from typing import Any, Protocol, TypeAlias

from sidegate.protocol.messages import Answers, Checks

Job: TypeAlias = tuple[Callable[..., object], tuple[Any, ...]]
# when, number, host ("" for the experimenter), its life (0 for any), what
Event: TypeAlias = tuple[float, int, str, int, Job]
Direction: TypeAlias = tuple[str, str]

MAX_RESEND = 2.0
"""Seconds, the longest wait for what is lost once more: a silent connection is given up in the end,
and the next one, which isn't told from it here, doesn't wait for what was on its way."""

DIAL_WITHIN = 1.0
"""Seconds after which a dial that got no answer may be tried again."""


class Host(Protocol):
    """What runs on a host. Its methods are called one at a time, at `network.now`."""

    def receive(self, sender: str, message: Any) -> None:
        """Handle a message."""

    def on_connected(self, name: str) -> None:
        """Called when a connection with a host is up, whoever dialled it."""

    def on_disconnected(self, name: str) -> None:
        """Called when the connection with a host is gone."""


SLOW = 0.01  # seconds


@dataclass(frozen=True, slots=True)
class Faults:
    """How the way from one host to another is. Times in seconds, the rest are probabilities."""

    delay: float = 0.001
    jitter: float = 0.001  # added to the delay: from nothing to this
    loss: float = 0.0
    duplication: float = 0.0
    ordered: bool = False  # True: no message overtakes another, as in a stream
    resend: float = 0.0  # above 0: what is lost comes that much later, and twice that if lost again

    @property
    def is_slow(self) -> bool:
        """Is a message longer on its way than what is asked meanwhile waits for it?"""
        return self.delay + self.jitter > SLOW


@dataclass(slots=True)
class _Machine:
    host: Host
    life: int  # how often it was started
    up: bool = True
    paused: bool = False
    calm_since: float = 0.0
    waiting: list[Job] = field(default_factory=list["Job"])  # for the end of the pause
    links: dict[str, int] = field(default_factory=dict[str, int])  # to whom, and to which life


class Network:
    """Hosts by name, and the one clock and queue of events that they share. Times in seconds.

    `faults` holds for each direction that `between` says nothing of.
    """

    def __init__(self, seed: int, faults: Faults | None = None, *, traced: bool = False) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.now = 0.0
        self.faults = faults or Faults()
        self.sent: Counter[str] = Counter()  # messages, by who sent them
        self.kinds: Counter[str] = Counter()  # the same, by what they are
        self.of_checks = 0  # how many of them were checks, and their answers
        self.dropped = 0  # messages lost on their way
        self._machines: dict[str, _Machine] = {}
        self._events: list[Event] = []
        self._numbers = 0
        self._between: dict[Direction, Faults] = {}
        self._cuts: set[Direction] = set()
        self._side: dict[str, int] = {}  # of a split
        self._calm_since = 0.0  # no way has changed
        self.was_cut = False  # at any time
        self._arrivals: dict[Direction, float] = {}  # the last one's, where order is kept
        self._dialling: dict[Direction, float] = {}  # until when
        self._trace = blake2b(digest_size=8) if traced else None

    @property
    def trace(self) -> str:
        """Return 16 hex digits that stand for all that happened; "" for a run without a trace."""
        return self._trace.hexdigest() if self._trace else ""

    # --- hosts

    def start(self, name: str, host: Host) -> None:
        """Start a host, again if it has crashed. It has no connections."""
        before = self._machines.get(name)
        if before and before.up:
            raise ValueError(f"{name!r} is up")
        life = before.life + 1 if before else 1
        self._machines[name] = _Machine(host, life, calm_since=self.now)

    def crash(self, name: str) -> None:
        """End a host: what waits for it is lost, and its connections break."""
        machine = self._machines[name]
        machine.up = machine.paused = False
        machine.calm_since = self.now
        machine.waiting.clear()
        for peer in list(machine.links):
            self.close(name, peer)
        for direction in [it for it in self._dialling if it[0] == name]:
            del self._dialling[direction]

    def pause(self, name: str) -> None:
        """Stop a host as SIGSTOP does: its messages and timers wait, its connections stay."""
        machine = self._machines[name]
        machine.paused, machine.calm_since = True, self.now

    def resume(self, name: str) -> None:
        """Have a host go on: everything that waited happens now, in its order."""
        machine = self._machines[name]
        machine.paused, machine.calm_since = False, self.now
        waiting, machine.waiting = machine.waiting, []
        for job in waiting:
            self._push(self.now, name, machine.life, job)

    def is_up(self, name: str) -> bool:
        """Tell whether a host was started and hasn't crashed. It may be paused."""
        machine = self._machines.get(name)
        return machine is not None and machine.up

    @property
    def changed_at(self) -> float:
        """When a way, or a host, last changed."""
        return max(self._calm_since, *(it.calm_since for it in self._machines.values()))

    def was_calm(self, name: str, since: float) -> bool:
        """Tell whether nothing has befallen a host, or the ways between any, since then."""
        machine = self._machines[name]
        ways = self.faults, *self._between.values()
        whole = not self._cuts and not self._side and not any(it.loss or it.is_slow for it in ways)
        peace = max(machine.calm_since, self._calm_since)
        return machine.up and not machine.paused and whole and peace <= since

    def ran(self, name: str, since: float) -> bool:
        """Tell whether a host has neither stood still nor begun or ended since then."""
        machine = self._machines[name]
        return machine.up and not machine.paused and machine.calm_since <= since

    def is_paused(self, name: str) -> bool:
        """Tell whether a host stands still."""
        return self._machines[name].paused

    # --- time

    def at(self, time: float, name: str, callback: Callable[[], None]) -> None:
        """Call back at that time on a host, unless it crashes before."""
        self._push(time, name, self._machines[name].life, (callback, ()))

    def plan(self, time: float, callback: Callable[[], object]) -> None:
        """Call back at that time, whatever happens to any host: for the experimenter."""
        self._push(time, "", 0, (callback, ()))

    def run(self, until: float) -> None:
        """Let everything happen up to that time."""
        events = self._events
        while events and events[0][0] <= until:
            self._happen(heappop(events))
        self.now = max(self.now, until)

    def run_until(
        self, condition: Callable[[], bool], within: float, every: float = 0.05
    ) -> float | None:
        """Run until something is so, and return how long that took; None if it never was."""
        start = self.now
        while not condition():
            if self.now >= start + within:
                return None
            self.run(self.now + every)
        return self.now - start

    # --- what befalls it

    def between(self, sender: str, receiver: str, faults: Faults) -> None:
        """Have one direction be different from the others."""
        before = self._between.get((sender, receiver), self.faults)
        passed = self.now + before.delay + before.jitter  # what is on its way comes first
        self._calm_since = max(self._calm_since, passed)
        self._between[sender, receiver] = faults

    def cut(self, sender: str, receiver: str) -> None:
        """Have everything vanish that goes in one direction."""
        self._calm_since = max(self._calm_since, self.now)
        self.was_cut = True
        self._cuts.add((sender, receiver))

    def split(self, *groups: Iterable[str]) -> None:
        """Have everything vanish that goes from one group to another; who is in none is alone."""
        self._calm_since = max(self._calm_since, self.now)
        self.was_cut = True
        sides = {name: at for at, group in enumerate(groups) for name in group}
        others = (name for name in self._machines if name not in sides)
        self._side = sides | {name: -1 - at for at, name in enumerate(others)}

    def heal(self) -> None:
        """End all cuts and splits."""
        self._calm_since = max(self._calm_since, self.now)
        self._cuts.clear()
        self._side = {}

    def is_open(self, sender: str, receiver: str) -> bool:
        """Tell whether there is a way in this direction."""
        if (sender, receiver) in self._cuts:
            return False
        return not self._side or self._side.get(sender) == self._side.get(receiver)

    # --- connections

    def dial(self, name: str, peer: str) -> None:
        """Have a host try to connect with another. Both are told `met`, if that works."""
        machine = self._machines[name]
        busy = self._dialling.get((name, peer), 0.0) > self.now
        if machine.up and peer not in machine.links and peer in self._machines and not busy:
            self._dialling[name, peer] = self.now + DIAL_WITHIN
            self._carry(name, peer, 0, (self._dialled, (peer, name, machine.life)))

    def link(self, name: str, peer: str) -> None:
        """Connect two hosts at once without telling them: for a large network that has settled."""
        one, other = self._machines[name], self._machines[peer]
        one.links[peer] = other.life
        other.links[name] = one.life

    def links_of(self, name: str) -> list[str]:
        """Return with whom a host has connections, as far as it knows."""
        return [*self._machines[name].links]

    def connected(self, name: str, peer: str) -> bool:
        """Tell whether a host has a connection with another, as far as it knows."""
        return peer in self._machines[name].links

    def close(self, name: str, peer: str) -> None:
        """Have a host close its connection with another, which is told `lost`."""
        machine = self._machines[name]
        life = machine.links.pop(peer, 0)
        if life:
            self._carry(name, peer, life, (self._broke, (peer, name, machine.life)))

    def send(self, name: str, peer: str, message: Any) -> None:
        """Send a message over the connection; it is lost where there is none."""
        machine = self._machines[name]
        self.sent[name] += 1
        self.kinds[type(message).__name__] += 1
        self.of_checks += isinstance(message, Checks | Answers)
        life = machine.links.get(peer)
        if life is None:
            self.dropped += 1
            return
        faults = self._between.get((name, peer), self.faults)
        job = self._arrive, (peer, name, machine.life, message)
        for _ in range(2 if self._chance(faults.duplication) else 1):
            lost = not faults.resend and self._chance(faults.loss)
            if lost or not self._carry(name, peer, life, job):
                self.dropped += 1

    # --- how it works

    def _chance(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def _carry(self, sender: str, receiver: str, life: int, job: Job) -> bool:
        """Have something happen at the receiver after the way there; False if there is none."""
        if not self.is_open(sender, receiver):
            return False
        faults = self._between.get((sender, receiver), self.faults)
        when = self.now + faults.delay + self.random.random() * faults.jitter
        wait = faults.resend
        while 0 < wait <= MAX_RESEND and self._chance(faults.loss):
            when += wait
            wait *= 2
        if faults.ordered:
            when = max(when, self._arrivals.get((sender, receiver), 0.0))
            self._arrivals[sender, receiver] = when
        self._push(when, receiver, life, job)
        return True

    def _push(self, when: float, name: str, life: int, job: Job) -> None:
        self._numbers += 1
        heappush(self._events, (max(when, self.now), self._numbers, name, life, job))

    def _happen(self, event: Event) -> None:
        self.now, _, name, life, job = event
        if name:
            machine = self._machines[name]
            if not machine.up or (life and life != machine.life):
                self._turn_away(name, life, job)
                return
            if machine.paused:
                machine.waiting.append(job)
                return
        what, args = job
        if self._trace:
            # A callback has no name that is the same in each run; that there was one is enough.
            told = f"{self.now!r} {name} {args!r}\n"
            self._trace.update(told.encode())
        what(*args)

    def _turn_away(self, name: str, life: int, job: Job) -> None:
        """Tell who sent to a process that is no more, as its machine would."""
        what, args = job
        if what == self._arrive:
            _, sender, senders_life, _ = args
            self.dropped += 1
            self._carry(name, sender, senders_life, (self._broke, (sender, name, life)))

    def _arrive(self, name: str, sender: str, senders_life: int, message: Any) -> None:
        machine = self._machines[name]
        if (name, sender) in self._dialling:  # it overtook the answer to our dial
            self._linked(name, sender, senders_life)
        if machine.links.get(sender) == senders_life:
            machine.host.receive(sender, message)
        else:
            self._turn_away(
                name, machine.life, (self._arrive, (name, sender, senders_life, message))
            )

    def _dialled(self, name: str, peer: str, peers_life: int) -> None:
        """Accept a connection."""
        life = self._machines[name].life
        if self._carry(name, peer, peers_life, (self._linked, (peer, name, life))):
            self._linked(name, peer, peers_life)

    def _linked(self, name: str, peer: str, life: int) -> None:
        self._dialling.pop((name, peer), None)
        machine = self._machines[name]
        known = machine.links.get(peer)
        if known == life:
            return
        if known is not None:
            del machine.links[peer]
            machine.host.on_disconnected(peer)
        machine.links[peer] = life
        machine.host.on_connected(peer)

    def _broke(self, name: str, peer: str, life: int) -> None:
        machine = self._machines[name]
        if machine.links.get(peer) == life:
            del machine.links[peer]
            machine.host.on_disconnected(peer)
