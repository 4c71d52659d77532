"""Limits without a sidecar, on purpose: kept in this process alone, or switched off.

For laptops and tests, where `SIDEGATE_SIDECAR` is `memory` or `off`. Nobody is dialled, and nothing
is known of other processes.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import SECOND
from sidegate.buckets.windows import undated
from sidegate.client.answers import spent
from sidegate.client.unreachable.fallback import MAX_MEMORY, SWEPT
from sidegate.client.unreachable.slots_here import SlotsHere
from sidegate.client.waiting.moves import MOVES
from sidegate.forks import begins_in_children
from sidegate.protocol.holds.reservation_messages import Reserved
from sidegate.protocol.key_messages import KeysBy, KeysListed, KeysReset
from sidegate.reports.key_ranking import KeyRanking, matching
from sidegate.values.sieve import Value
from sidegate.values.store import ValueStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from sidegate.buckets.limits import Limits
    from sidegate.protocol.holds.reservation_messages import Commit, Reserve
    from sidegate.protocol.key_messages import ListKeys, ResetKeys
    from sidegate.protocol.messages import Check
    from sidegate.reservations.local_reservations import LocalReservations

    Decide: TypeAlias = Callable[[Check, Limits], Decision]


_PIECE: Final = 4_096  # keys looked at at a time
HERE: Final = "memory"  # in the place of a node's name, where there is none
MAX_VALUES = 64 << 20  # bytes that the values of caches take, as in a sidecar
MICROSECOND = 1_000  # ns
MAX_AHEAD: Final = 1_000 * 365 * 86_400 * SECOND  # ns: calendars end in 9999


class Memory:
    """Buckets and values in this process, for any number of threads and event loops.

    The buckets hold whole limits.

    Its time can be moved, for tests: it is that of the machine, and what `advance` has added.
    """

    def __init__(self) -> None:
        self._buckets = BucketTable(MAX_MEMORY)
        self._values = ValueStore(MAX_VALUES)
        self._lent: dict[tuple[str, str], int] = {}  # tokens of who fills, by namespace and key
        self._last_token = 0
        self._ahead = 0  # ns that time was moved by
        self.slots = SlotsHere(self._now)
        self._holds: LocalReservations | None = None  # once somebody reserves
        self._lock = threading.Lock()
        begins_in_children(self)

    def decide(self, check: Check, limits: Limits) -> Decision:
        """Decide a check. CostError for a cost that can never pass."""
        key, _, cost = check
        with self._lock:
            now = self._now()
            if self._holds is not None:
                self._holds.tick()
            self._buckets.sweep(now, SWEPT)
            allowed, debts = self._buckets.take(key, limits, cost, now)
        return Decision(allowed, limits, cost, debts, Source.MEMORY)

    def hold(self, asked: Reserve | Commit) -> Reserved:
        """Answer a question about a reservation as a sidecar does."""
        from sidegate.reservations.local_reservations import (  # noqa: PLC0415 - few want it
            LocalReservations,
        )

        with self._lock:
            if self._holds is None:
                self._holds = LocalReservations(self._buckets, self._now, os.urandom(32))
            self._holds.tick()
            self._buckets.sweep(self._now(), SWEPT)
            return self._holds.answer(asked)

    def refund(self, check: Check, limits: Limits) -> None:
        """Give back what a check of these limits has charged, none beyond full."""
        key, text, cost = check
        with self._lock:
            self._buckets.refund(key, limits, cost, self._now(), undated(text)[1])

    def reset(self) -> None:
        """Make all buckets full again, forget all values, and have the time of the machine."""
        with self._lock:
            self._buckets = BucketTable(MAX_MEMORY)
            self._values = ValueStore(MAX_VALUES)
            self._holds = None
            self._lent = {}
            self._ahead = 0
        self.slots.begin_child()
        MOVES.moved()

    def advance(self, seconds: float) -> None:
        """Move time on by so many seconds, at once: buckets are refilled, and who waits asks again.

        ValueError for a number below 0, one that isn't finite, and more than 1,000 years in all.
        """
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"seconds={seconds!r}: expected a number from 0 up")
        with self._lock:
            ahead = self._ahead + round(seconds * SECOND)
            if ahead > MAX_AHEAD:
                raise ValueError(f"seconds={seconds!r}: expected at most 1,000 years in all")
            self._ahead = ahead
        self.slots.look()
        MOVES.moved()

    def fill(self, key: str) -> dict[str, int]:
        """Make all buckets of a key full again; return what was spent of them, as `spent` does."""
        with self._lock:
            held = self._buckets.held(key, self._now())
            self._buckets.reset(key)
            if self._holds is not None:
                self._holds.void(key)
        MOVES.moved()
        return spent(held)

    def fill_all(self, prefix: str) -> int:
        """Make the buckets of all keys full that begin so; return how many were in debt."""
        filled = 0
        with self._lock:
            now = self._now()
            for text, keys in self._buckets.keys(_PIECE):
                filled += len(self._buckets.fill(text, matching(KeysBy.PREFIX, prefix, keys), now))
            if self._holds is not None:
                self._holds.void(prefix, begins=True)
        MOVES.moved()
        return filled

    def listed(self, asked: ListKeys) -> KeysListed:
        """Return the first keys in debt of those that are asked for."""
        with self._lock:
            now = self._now()
            ranking = KeyRanking(asked, self._buckets)
            for piece in self._buckets.keys(_PIECE):
                ranking.add(*piece, now)
            rows = ranking.rows(now)
        return KeysListed(asked.id, [HERE], [], [], rows, int(ranking.more))

    def spent(self, key: str) -> dict[str, int]:
        """Return the tokens that a key has spent and not got back yet, by the text of the limit.

        A token that is partly back counts as spent. Limits of which nothing is spent are left out.
        """
        with self._lock:
            held = self._buckets.held(key, self._now())
        return spent(held)

    def keys(self) -> list[str]:
        """Return the keys that have spent something, in the order of the alphabet.

        A key of a middleware is "RULE:IDENTITY", "SERVICE/RULE:IDENTITY" with a service.
        """
        with self._lock:
            now = self._now()
            found = {key for part in self._buckets.export(now) for key, _, _ in part}
        return sorted(found)

    # --- values of caches

    def value(self, name: str, key: str) -> tuple[bytes, bool] | None:
        """Return the value of a key in a namespace, and whether it is fresh; None for none."""
        with self._lock:
            now = self._now()
            value = self._values.get(name, key, now)
            return None if value is None else (value.data, now < value.fresh_until)

    def lend(self, name: str, key: str) -> int:
        """Return the token by which alone the value of a key may be filled from now on."""
        with self._lock:
            self._last_token += 1
            self._lent[name, key] = self._last_token
            return self._last_token

    def is_lent(self, name: str, key: str) -> bool:
        """Does somebody fill it?"""
        return (name, key) in self._lent

    def give_back(self, name: str, key: str, token: int) -> None:
        """Called when who has this token doesn't fill."""
        with self._lock:
            if self._lent.get((name, key)) == token:
                del self._lent[name, key]

    def keep(self, name: str, key: str, data: bytes, ttl: int, stale: int, token: int = 0) -> bool:
        """Keep a value for so many microseconds as fresh, and as stale for some more.

        With a token it fills, unless that holds no more: the key was set or deleted since.
        """
        with self._lock:
            if token and self._lent.get((name, key)) != token:
                return False
            self._lent.pop((name, key), None)
            now = self._now()
            fresh = now + ttl * MICROSECOND
            value = Value(key, data, fresh, fresh + stale * MICROSECOND)
            return self._values.set(name, key, value, now)

    def drop(self, name: str, keys: list[str] | None = None) -> None:
        """Forget the values of some keys in a namespace, or of all, and those being filled."""
        with self._lock:
            if keys is None:
                self._values.clear(name)
                self._lent = {it: token for it, token in self._lent.items() if it[0] != name}
            for key in keys or ():
                self._values.delete(name, key)
                self._lent.pop((name, key), None)

    def begin_child(self) -> None:
        """Begin in a forked process, where a thread that isn't there may hold the lock."""
        self._lock = threading.Lock()
        self._lent = {}

    def _now(self) -> int:
        """Return the time, and have quotas go by the clock on the wall."""
        machine = time.monotonic_ns()
        self._buckets.windows.set(time.time_ns() - machine)
        return machine + self._ahead


def switched_off(check: Check, limits: Limits) -> Decision:
    """Allow a check, whatever the limits say."""
    return Decision(True, limits, check[2], [], Source.OPEN)


PROCESS: Final = Memory()
"""That of the clients whose sidecar is `memory`."""


class _Standing:
    """Who stands in for the sidecars of all clients of the process; None: nobody.

    `memory` has the buckets of what is decided in this process, by whoever stands in or else by
    the mode "memory".
    """

    decide: Decide | None = None
    memory: Memory = PROCESS


STANDING: Final = _Standing()


def spent_here(decide: Decide, key: str, *, reset: bool) -> dict[str, int]:
    """Return what a key has spent where no sidecar is asked but `decide`, and forget it if `reset`.

    That is nothing where limits are switched off.
    """
    if decide is switched_off:
        return {}
    return STANDING.memory.fill(key) if reset else STANDING.memory.spent(key)


def held_here(decide: Decide, asked: Reserve | Commit) -> Reserved:
    """Return what has become of a reservation where no sidecar is asked but `decide`."""
    if decide is switched_off:
        return Reserved(asked.id, Source.OPEN, "", [1])
    return STANDING.memory.hold(asked)


def listed_here(decide: Decide, asked: ListKeys) -> KeysListed:
    """Return the first keys in debt where no sidecar is asked but `decide`."""
    if decide is switched_off:
        return KeysListed(asked.id, [HERE], [], [], [], 0)
    return STANDING.memory.listed(asked)


def reset_here(decide: Decide, asked: ResetKeys) -> KeysReset:
    """Forget what all keys that begin so have spent where no sidecar is asked but `decide`."""
    forgotten = 0 if decide is switched_off else STANDING.memory.fill_all(asked.prefix)
    return KeysReset(asked.id, [(HERE, forgotten)], [])


MODES: Final[dict[str, tuple[Decide, str]]] = {
    "memory": (
        PROCESS.decide,
        "limits are kept in this process only (sidecar=memory), so each process has whole ones",
    ),
    "off": (switched_off, "requests are not limited (sidecar=off)"),
}
"""What may stand in the place of an address: who decides then, and what the log says of it."""
