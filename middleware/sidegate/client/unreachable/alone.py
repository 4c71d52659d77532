"""Decisions without a sidecar: what they are, what the log says of them, how often they came."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from sidegate.client.unreachable.fallback import Fallback
from sidegate.client.unreachable.outage import Outage
from sidegate.client.unreachable.outcomes import OutcomeCounts, ShareLog
from sidegate.client.unreachable.slots_here import SlotsHere

if TYPE_CHECKING:
    from typing import Self

    from sidegate.buckets.decision import Decision, OnUnreachable
    from sidegate.buckets.limits import Limits
    from sidegate.protocol.messages import Check
    from sidegate.protocol.outcome_messages import Outcomes

log = logging.getLogger("sidegate")


class Alone:
    """Decides for all loops and threads of a client; its lock is taken on this rare path only."""

    def __init__(self, sidecar: str, on_unreachable: str) -> None:
        self._sidecar = sidecar
        self.fallback = Fallback(on_unreachable)
        self.slots = SlotsHere(time.monotonic_ns)  # by this process's share
        self.nodes = 1  # on the ring, as the sidecar last said
        self._lock = threading.Lock()
        self._outage = Outage(sidecar, self.fallback.policy)
        self._shares = ShareLog()
        self._counts = OutcomeCounts()
        self.is_out = False  # was a check decided by the policy since the sidecar last answered?
        self.has_outcomes = False  # is there anything to tell the sidecar?

    def afresh(self) -> Self:
        """Return one for a forked process, where this one's lock may be held for ever."""
        made = type(self)(self._sidecar, self.fallback.policy)
        made.nodes = self.nodes
        return made

    def change_policy(self, policy: str) -> None:
        """Decide by another policy from now on, which rules of the sidecar say."""
        with self._lock:
            self.fallback.change(policy)
            self._outage.policy = self.fallback.policy

    def unreachable(self, check: Check, limits: Limits, why: str) -> Decision:
        """Decide by the policy a check about which the sidecar can't be asked; `why` for people."""
        with self._lock:
            self._warn(self._outage.decided(why, time.monotonic()))
            self.is_out = True
            key, _, cost = check
            made = self.fallback.decide(key, limits, cost, self.nodes, self._now())
            self._decided(key, made)
            return made

    def share(self, check: Check, limits: Limits, why: str) -> Decision:
        """Decide by this process's share a check that it kept waiting itself."""
        with self._lock:
            self._warn(self._shares.decided(why, time.monotonic()))
            key, _, cost = check
            made = self.fallback.share(key, limits, cost, self.nodes, self._now())
            self._decided(key, made)
            return made

    def lacking_slot(self, why: str) -> OnUnreachable:
        """Return the policy for a slot that nobody can be asked for; `why` for people."""
        with self._lock:
            self._warn(self._outage.decided(why, time.monotonic()))
            self.is_out = True
            self._count(self.fallback.source)
            return self.fallback.policy

    def closed(self, check: Check, limits: Limits) -> Decision:
        """Decide by the policy a check that was in flight when its client was closed: no outage."""
        key, _, cost = check
        with self._lock:
            return self.fallback.decide(key, limits, cost, self.nodes, self._now())

    def _now(self) -> int:
        """Return the time, and have quotas go by the clock on the wall."""
        now = time.monotonic_ns()
        self.fallback.set_wall(time.time_ns() - now)
        return now

    def answered(self) -> None:
        """Called when the sidecar has answered; call it when `is_out`."""
        with self._lock:
            self.is_out = False
            self._warn(self._outage.over(time.monotonic()))

    def count(self, outcome: str) -> None:
        """Count an outcome for the sidecar's metrics. ValueError if there is no such one."""
        with self._lock:
            self._count(outcome)

    def outcomes(self) -> Outcomes | None:
        """Return what to tell the sidecar now, which then counts as told."""
        with self._lock:
            told = self._counts.due(time.monotonic())
            self.has_outcomes = bool(self._counts.counts)
            return told

    def _decided(self, key: str, made: Decision) -> None:
        self._counts.decided(key, made)
        self.has_outcomes = True

    def _count(self, outcome: str) -> None:
        self._counts.count(outcome)
        self.has_outcomes = True

    def _warn(self, line: str) -> None:
        if line:
            log.warning("%s", line)
