"""At risk: buckets of which a crash would lose much are sent at once, not with a flush. Pure.

Whoever decides counts what of a key is unsent, and comes here with the checks of those that are
over their share. It does so before it answers: then a kill after the answer loses nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import parse_limits
from sidegate_sidecar.replication.outgoing.outbox import BATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidegate.protocol.messages import Check
    from sidegate_sidecar.replication.flush import Flush
    from sidegate_sidecar.replication.outgoing.outbox import Keys
    from sidegate_sidecar.replication.outgoing.sending import Sending, Sends

# A message costs an owner some 50 us with its answer, so these are a tenth of its time.
EARLY_EVERY = 500_000  # ns between two messages in the long run: what has to wait, waits so long
EARLY_SAVED = 250  # messages that may go out at once after a pause: the bursts of some keys


class AtRisk:
    """What is sent before its time, and how often that may be. Times are in ns."""

    def __init__(self, flush: Flush, sending: Sending, usable: Callable[[str], bool]) -> None:
        self._flush = flush
        self._sending = sending
        self._usable = usable
        self._saved_at = 0  # when as many messages are saved up as may be

    def due(self, now: int) -> int | None:
        """Return in how many ns what waits may be sent, None if nothing does."""
        return max(self._next_at() - now, 0) if self._flush.at_risk else None

    def _next_at(self) -> int:
        return self._saved_at - EARLY_EVERY * (EARLY_SAVED - 1)

    def send(self, checks: Iterable[Check], now: int) -> tuple[Sends, set[Check]]:
        """Send the buckets of these checks to all who are to have them.

        Return also the checks that needn't be flushed any more. If too much was sent of late they
        all wait for a tick, and what can't be sent for another reason for the next flush.
        """
        checks = set(checks)
        if now < self._next_at():
            self._flush.at_risk |= checks
            return [], set()
        by_target, sent = self._placed(checks)
        messages: Sends = []
        for target, some in by_target.items():
            for at in range(0, len(some), BATCH):
                message = self._sending.early(target, keys_of(some[at : at + BATCH]), now)
                if message is None:
                    sent.difference_update(some[at : at + BATCH])
                elif message.groups:
                    messages.append((target, message))
        for key, *_ in sent:
            self._flush.unsent.pop(key, None)
        self._saved_at = max(self._saved_at, now) + EARLY_EVERY * max(len(messages), 1)
        return messages, sent

    def _placed(self, checks: set[Check]) -> tuple[dict[str, list[Check]], set[Check]]:
        """Return who is sent which of these checks, and those that all get who are to have them."""
        by_target: dict[str, list[Check]] = {}
        sent: set[Check] = set()
        for check in checks:
            targets = list(self._flush.targets_of(check[0]))
            usable = [name for name in targets if self._usable(name)]
            for target in usable:
                by_target.setdefault(target, []).append(check)
            if len(usable) == len(targets):
                sent.add(check)
        return by_target, sent

    def tick(self, now: int) -> Sends:
        """Send what waits, if it may go out by now."""
        waiting = self._flush.at_risk
        if not waiting or now < self._next_at():
            return []
        self._flush.at_risk = set()
        messages, sent = self.send(waiting, now)
        self._flush.changed -= sent
        return messages


def keys_of(checks: Iterable[Check]) -> Keys:
    """Return the buckets of some checks: keys by the texts of their limits."""
    keys: Keys = {}
    for key, texts, _ in checks:
        for limit in parse_limits(texts).items:
            keys.setdefault(limit.text, []).append(key)
    return keys
