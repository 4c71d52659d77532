"""Heirs: who stays on the ring for the buckets of a node that leaves. Pure.

Nodes that are told to leave at the same moment must not leave to each other, so none gives up its
place on a guess: it asks each owner that it can reach (`Stay`), and goes when one has promised to
stay. A promise says "I stay until another one stays for my buckets". That all of them go is ruled
out by one rule: who gives a promise takes none that it asked for before. Then each promise that
somebody leaves on was given later than all that this one gave itself, and promises can't run in a
circle: one node is left without any, and that one waits.

Of two that leave and have no promise yet, the one whose name comes later stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND
from sidegate.protocol.messages import Stay, StayPromise

if TYPE_CHECKING:
    from collections.abc import Iterable

ASK_EVERY = SECOND // 10  # ns between two questions to one that said no
ANSWER_WITHIN = SECOND  # ns: asked again sooner, one that is slow would never answer the latest


class Heirs:
    """What one node was promised, and what it promises others. Times in ns."""

    def __init__(self, name: str) -> None:
        self.promised: set[str] = set()
        self._name = name
        self._asked: dict[str, int] = {}  # the latest question to each
        self._due: dict[str, int] = {}  # when to ask each again
        self._last_id = 0

    def ask(self, owners: Iterable[str], now: int) -> list[tuple[str, Stay]]:
        """Return the questions that are due, to owners that can be reached."""
        due = [
            name for name in owners if name not in self.promised and now >= self._due.get(name, now)
        ]
        return [(name, self._question(name, now)) for name in due]

    def _question(self, name: str, now: int) -> Stay:
        self._last_id += 1
        self._asked[name] = self._last_id
        self._due[name] = now + ANSWER_WITHIN
        return Stay(self._last_id, StayPromise.ASKED)

    def answer(self, sender: str, asked: Stay, *, holds: bool, leaves: bool) -> Stay:
        """Return whether this node stays for one that asks.

        `holds`: is it on the ring with its buckets? `leaves`: was it told to go itself?
        """
        stays = holds and not (leaves and (self.promised or self._name < sender))
        if stays:
            self._forget_questions()  # a promise that we asked for before this one counts no more
        return Stay(asked.id, StayPromise.GIVEN if stays else StayPromise.REFUSED)

    def answered(self, sender: str, answer: Stay) -> None:
        """Note a promise, or a refusal, if it answers the latest question."""
        if self._asked.get(sender) != answer.id:
            return
        if answer.promise is StayPromise.GIVEN:
            self.promised.add(sender)
        else:
            self._due[sender] -= ANSWER_WITHIN - ASK_EVERY

    def on_disconnected(self, name: str) -> None:
        """Count on a node no more: it can't be reached, and may not be the same when it can."""
        self.promised.discard(name)
        self._asked.pop(name, None)
        self._due.pop(name, None)

    def forget(self) -> None:
        """Forget all promises that were asked for: this node stays, or has gone."""
        self.promised.clear()
        self._forget_questions()

    def _forget_questions(self) -> None:
        self._asked.clear()
        self._due.clear()
