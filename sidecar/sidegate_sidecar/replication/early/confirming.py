"""Confirming: charges that are answered only when another node has merged them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidegate_sidecar.replication.early.at_risk import NEVER, keys_of
from sidegate_sidecar.replication.outgoing.outbox import AWAITED_WINDOW, BATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from sidegate.protocol.messages import Check
    from sidegate_sidecar.replication.flush import Flush
    from sidegate_sidecar.replication.outgoing.sending import Sending, Sends

    Done: TypeAlias = Callable[[list[int], bool], None]
    Wanted: TypeAlias = Sequence[tuple[int, Check]]

MAX_WAITING = 16_384  # checks: what a busy node decides in the time that one may wait


class _Waiting(NamedTuple):
    """Checks, by their positions in a frame, that wait for one message to be merged."""

    positions: list[int]
    until: int
    done: Done


class Confirming:
    """Which checks wait for which messages. Times are in ns.

    A node that lets checks wait in vain isn't waited for until it merges something.
    """

    def __init__(self, flush: Flush, sending: Sending, usable: Callable[[str], bool]) -> None:
        self._flush = flush
        self._sending = sending
        self._usable = usable
        self._waiting: dict[tuple[str, int], _Waiting] = {}
        self._late: set[str] = set()
        self._count = 0  # of checks

    @property
    def waits(self) -> bool:
        """Does anybody wait for another node to know?"""
        return bool(self._waiting)

    def due(self, now: int) -> int:
        """Return in how many ns somebody has waited long enough."""
        until = min((it.until for it in self._waiting.values()), default=NEVER + now)
        return max(until - now, 0)

    def ask(self, wanted: Wanted, until: int, done: Done, now: int) -> Sends:
        """Send the buckets of these checks, of which each is to be known to one more node.

        `done` is called with the positions of some, and whether they are: perhaps at once, at the
        latest soon after `until`, for each check once.
        """
        early = self._sending.early
        is_alone = self._flush.ring.nodes == (self._flush.me,)
        messages: Sends = []
        by_holder: dict[str, list[tuple[int, Check]]] = {}
        for position, check in wanted:
            by_holder.setdefault(self._holder(check[0]), []).append((position, check))
        for holder, some in by_holder.items():
            for at in range(0, len(some), BATCH):
                part = some[at : at + BATCH]
                waiting = _Waiting([position for position, _ in part], until, done)
                keys = keys_of(check for _, check in part)
                room = self._count + len(part) <= MAX_WAITING
                is_sent = holder and room
                message = early(holder, keys, now, AWAITED_WINDOW) if is_sent else None
                if message is None or not message.groups:  # owes it nothing: so nothing to lose
                    done(waiting.positions, is_alone or message is not None)
                    continue
                self._waiting[holder, message.id] = waiting
                self._count += len(part)
                messages.append((holder, message))
        return messages

    def _holder(self, key: str) -> str:
        """Return who is to know a key next to us: the next one on its ring that can be reached.

        That is its backup while it lives; "" if that one is late, and if nobody can be reached.
        """
        me, usable = self._flush.me, self._usable
        name = next((it for it in self._flush.ring.walk(key) if it != me and usable(it)), "")
        return "" if name in self._late else name

    # --- what comes of it

    def landed(self, name: str, number: int) -> None:
        """Called when a node has merged a message."""
        self._late.discard(name)
        self._end((name, number), confirmed=True)

    def unreachable(self, name: str) -> None:
        """Called when what was on its way to a node is lost."""
        self._late.discard(name)
        for it in [it for it in self._waiting if it[0] == name]:
            self._end(it, confirmed=False)

    def tick(self, now: int) -> None:
        """Give up what has waited long enough."""
        for it in [it for it, waiting in self._waiting.items() if waiting.until <= now]:
            self._late.add(it[0])
            self._end(it, confirmed=False)

    def _end(self, it: tuple[str, int], *, confirmed: bool) -> None:
        waiting = self._waiting.pop(it, None)
        if waiting is not None:
            self._count -= len(waiting.positions)
            waiting.done(waiting.positions, confirmed)
