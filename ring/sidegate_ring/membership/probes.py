"""Probes: who was asked whether it is there, by us and by us for others; and our own health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate_ring.membership.parameters import Timing, slowed

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_INDIRECT_PROBES: Final = 1_024
"""Pings under way for others. A node is asked for 3 a probe of others: hundreds are a flood."""

NACK_AFTER: Final = 0.8
"""Of the time for a ping: so that the NACK arrives before its time is over."""


class Probe:
    """One node that we asked. Times in seconds."""

    __slots__ = ("asked", "ends_at", "id", "indirect_at", "silent", "target")

    def __init__(self, id_: int, target: str, indirect_at: float, ends_at: float) -> None:
        self.id = id_
        self.target = target
        self.indirect_at = indirect_at  # from then on others are asked too
        self.ends_at = ends_at
        self.asked: Sequence[str] = ()  # those others
        self.silent: set[str] = set()  # of them, those that said nothing, not even NACK


class IndirectProbe:
    """One node that we asked for another."""

    __slots__ = ("asker", "ends_at", "id", "nack_at", "nacked", "target")

    def __init__(self, asker: str, id_: int, target: str, timing: Timing, now: float) -> None:
        self.asker = asker
        self.id = id_  # of the asker's question
        self.target = target
        self.nack_at = now + NACK_AFTER * timing.probe_within
        self.nacked = False
        self.ends_at = now + timing.probe_every


class Probes:
    """All that is under way, by the id of its ping; and the health score.

    The score is Lifeguard's: a node whose own probes fail, or who has to refute that it is dead,
    is probably slow itself, and so gives others more time.
    """

    __slots__ = ("_indirect", "_probes", "_targets", "_timing", "health")

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._probes: dict[int, Probe] = {}
        self._targets: dict[str, Probe] = {}  # the latest of each
        self._indirect: dict[int, IndirectProbe] = {}
        self.health = 0  # 0 is well

    def __len__(self) -> int:
        return len(self._probes) + len(self._indirect)

    def worsen(self, by: int) -> None:
        """Change the health score; below 0 it gets better."""
        self.health = min(max(self.health + by, 0), self._timing.health)

    def clear(self) -> None:
        """Forget what is under way."""
        self._probes.clear()
        self._targets.clear()
        self._indirect.clear()

    # --- our own

    def start(self, id_: int, target: str, now: float, ends_at: float | None = None) -> Probe:
        """Begin a probe whose ping has this id, and end it by our health, or at that time."""
        timing, health = self._timing, self.health if ends_at is None else 0
        indirect_at = now + slowed(timing.probe_within, health)
        if ends_at is None:
            ends_at = now + slowed(timing.probe_every, health)
        probe = Probe(id_, target, indirect_at, ends_at)
        self._probes[id_] = self._targets[target] = probe
        return probe

    def of(self, target: str) -> Probe | None:
        """Return the probe of this node that is under way."""
        return self._targets.get(target)

    def hurry(self, indirect_at: float, ends_at: float) -> set[str]:
        """Have all that are under way end by then, however unwell we are; return whose they are."""
        for probe in self._probes.values():
            probe.indirect_at = min(probe.indirect_at, indirect_at)
            probe.ends_at = min(probe.ends_at, ends_at)
        return {it.target for it in self._probes.values()}

    def late(self, now: float) -> list[Probe]:
        """Return the probes with which others should help now."""
        return [it for it in self._probes.values() if not it.asked and it.indirect_at <= now]

    def ask(self, probe: Probe, others: Sequence[str]) -> None:
        """Note who was asked to help."""
        probe.asked = others
        probe.silent = set(others)

    def failed(self, now: float) -> list[Probe]:
        """Take out the probes whose time is over."""
        over = [it for it in self._probes.values() if it.ends_at <= now]
        for probe in over:
            self.drop(probe)
        return over

    def drop(self, probe: Probe) -> None:
        """End a probe."""
        self._probes.pop(probe.id, None)
        if self._targets.get(probe.target) is probe:
            del self._targets[probe.target]

    def count_failure(self, probe: Probe) -> None:
        """Judge ourselves by a failed probe.

        When those that we asked for help say that it fails for them too, it isn't us.
        """
        self.worsen(len(probe.silent) if probe.asked else 1)

    def acked(self, sender: str, id_: int, about: str) -> None:
        """End a probe well: by its target, or by one of those that were asked to help."""
        probe = self._probes.get(id_)
        if probe is None:
            return
        if sender == probe.target or (about == probe.target and sender in probe.asked):
            self.drop(probe)
            self.worsen(-1)

    def nacked(self, sender: str, id_: int) -> None:
        """Called when one of those that were asked to help is there itself."""
        if probe := self._probes.get(id_):
            probe.silent.discard(sender)

    # --- for others

    def run(self, id_: int, indirect: IndirectProbe) -> bool:
        """Begin an indirect probe whose ping has this id; False when there are too many."""
        if len(self._indirect) >= MAX_INDIRECT_PROBES:
            return False
        self._indirect[id_] = indirect
        return True

    def done(self, sender: str, id_: int) -> IndirectProbe | None:
        """Take out the indirect probe that this answer is for."""
        indirect = self._indirect.get(id_)
        if indirect is None or indirect.target != sender:
            return None
        return self._indirect.pop(id_)

    def unanswered(self, now: float) -> list[IndirectProbe]:
        """Return, once each, indirect probes whose asker should get a NACK; drop old ones."""
        if not self._indirect:
            return []
        due = [it for it in self._indirect.values() if it.nack_at <= now and not it.nacked]
        for indirect in due:
            indirect.nacked = True  # an answer that comes yet is passed on all the same
        for id_ in [id_ for id_, it in self._indirect.items() if it.ends_at <= now]:
            del self._indirect[id_]
        return due
