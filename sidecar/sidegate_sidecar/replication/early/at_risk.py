"""At risk: buckets of which a crash would lose much are sent at once, not with a flush. Pure.

Whoever decides counts what of a key is unsent, and comes here with the checks of those that are
over their share. It does so before it answers: then a kill after the answer loses nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import parse_limits
from sidegate_sidecar.replication.outgoing.outbox import BATCH, EARLY_WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidegate.protocol.messages import Check
    from sidegate_sidecar.replication.flush import Flush
    from sidegate_sidecar.replication.outgoing.outbox import Keys
    from sidegate_sidecar.replication.outgoing.sending import Sending, Sends

# A message costs an owner 50 to 80 us with its answer, so these are less than a tenth of its time.
EARLY_EVERY = 10**6  # ns between two messages in the long run: what has to wait, waits so long
EARLY_SAVED = 250  # messages that may go out at once after a pause: the bursts of some keys
TAIL = 5 * 10**6  # ns that what waits may wait where nobody asks any more: else it goes with those
NEVER = 1 << 62  # ns


class AtRisk:
    """What is sent before its time, and how often that may be. Times are in ns."""

    def __init__(self, flush: Flush, sending: Sending, usable: Callable[[str], bool]) -> None:
        self._flush = flush
        self._sending = sending
        self._usable = usable
        self._saved_at = 0  # when as many messages are saved up as may be

    def due(self, now: int) -> int:
        """Return in how many ns what waits is to be sent, if nobody asks."""
        return max(self._next_at() - now, 0) + TAIL if self._flush.at_risk else NEVER

    def _next_at(self) -> int:
        return self._saved_at - EARLY_EVERY * (EARLY_SAVED - 1)

    def send(self, checks: Iterable[Check], now: int) -> Sends:
        """Send the buckets of these checks to all who are to have them.

        If too much was sent of late all wait for a later call, and what can't be sent for another
        reason for the next flush.
        """
        waiting = self._flush.at_risk
        waiting.update(checks)
        if now < self._next_at():
            return []
        by_target, sent = self._placed(waiting)
        waiting.clear()
        messages: Sends = []
        for target, some in by_target.items():
            for at in range(0, len(some), BATCH):
                keys = keys_of(some[at : at + BATCH])
                message = self._sending.early(target, keys, now, EARLY_WINDOW)
                if message is None:
                    sent.difference_update(some[at : at + BATCH])
                elif message.groups:
                    messages.append((target, message))
        for key, text, _ in sent:
            self._flush.unsent.sent(key, text)
        self._saved_at = max(self._saved_at, now) + EARLY_EVERY * max(len(messages), 1)
        return messages

    def _placed(self, checks: set[Check]) -> tuple[dict[str, list[Check]], set[Check]]:
        """Return who is sent which of these checks, and those that all get who are to have them."""
        by_target: dict[str, list[Check]] = {}
        sent: set[Check] = set()
        groups: dict[tuple[str, str], list[Check]] = {}
        pair = self._flush.ring.pair
        for check in checks:
            groups.setdefault(pair(check[0]), []).append(check)
        for holders, some in groups.items():
            for targets, part in self._flush.targets_of_all(holders, some):
                usable = [name for name in targets if self._usable(name)]
                for target in usable:
                    by_target.setdefault(target, []).extend(part)
                if len(usable) == len(targets):
                    sent.update(part)
        return by_target, sent

    def tick(self, now: int) -> Sends:
        """Send what waits, if it may go out by now."""
        return self.send((), now) if self._flush.at_risk else []


def keys_of(checks: Iterable[Check]) -> Keys:
    """Return the buckets of some checks: keys by the texts of their limits."""
    by_texts: dict[str, dict[str, None]] = {}
    for key, texts, _ in checks:
        by_texts.setdefault(texts, {})[key] = None
    keys: Keys = {}
    for texts, some in by_texts.items():
        for limit in parse_limits(texts).items:
            keys.setdefault(limit.text, []).extend(some)
    return keys
