"""A forward: checks of one frame on their way to the node that decides them, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidegate.protocol.messages import NOBODY, Answers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidegate.protocol.messages import Answer, Check, Checks
    from sidegate_sidecar.node.node import Node, Send

OWNERS_SHARE = 0.5  # of the time that is left: the rest is for the backup, should it be needed


class Asked(NamedTuple):
    """A frame that somebody asked, and how to answer it; times are in ns.

    `by` is the node that has forwarded it, "" for an app: it knows no more than we do.
    """

    frame: Checks
    send: Send
    at: int
    deadline: int
    by: str
    has_waited: bool = False  # until those who know may decide


def places_of(frame: Checks, positions: list[int]) -> list[int]:
    """Return the places in their first forward of the checks at some positions of a frame."""
    places = frame.places
    return positions if places is None else [places[position] for position in positions]


class Forward:
    """Checks of a frame that the node `to` is asked about, in place of `owner` if that is another.

    After `patience` seconds the next node is asked; at the deadline the policy answers. `serial`
    and `places` (None: in order) name these checks to all nodes that are asked about them.
    """

    __slots__ = (
        "_node",
        "_whole",
        "asked",
        "checks",
        "declined",
        "owner",
        "patience",
        "places",
        "positions",
        "serial",
        "to",
        "tried",
    )

    def __init__(self, node: Node, asked: Asked, to: str, positions: list[int], now: int) -> None:
        checks = asked.frame.checks
        self._node = node
        self._whole = len(positions) == len(checks)
        self.asked = asked
        self.checks = checks if self._whole else [checks[position] for position in positions]
        self.owner = to
        self.patience = max(asked.deadline - now, 0) * 1e-9 * OWNERS_SHARE
        self.positions = positions
        self.places: list[int] | None = None
        self.serial = asked.frame.serial
        if not self.serial:
            self.serial = node.next_serial()
        elif self._whole:
            self.places = asked.frame.places
        else:
            self.places = places_of(asked.frame, positions)
        self.to = to
        self.tried: tuple[str, ...] = ()
        self.declined: tuple[str, ...] = ()  # of those tried: who said that they may not decide

    def each(self) -> Iterable[tuple[Check, int]]:
        """Return each check with its place among those first forwarded."""
        places = range(len(self.checks)) if self.places is None else self.places
        return zip(self.checks, places, strict=True)

    def onward(self, to: str, some: list[int], now: int) -> Forward:
        """Return the forward of the checks at some positions in this one to the next node."""
        again = Forward(self._node, self.asked, to, [self.positions[at] for at in some], now)
        again.serial = self.serial
        again.places = some if self.places is None else [self.places[at] for at in some]
        again.owner = self.owner
        again.tried = (*self.tried, self.to)
        again.declined = self.declined
        return again

    def begin_anew(self) -> None:
        """Take it that nobody was asked yet; called on a forward to nobody, after a pause."""
        self.asked = self.asked._replace(has_waited=True)
        self.tried = self.declined = ()

    def answered(self, answers: Answers) -> None:
        """Pass answers on under the frame id and the positions of whoever asked."""
        if answers.source == NOBODY:
            self._handed_back(answers.positions)
            return
        self._pass_on(
            answers.source, answers.node, answers.positions, answers.answers, answers.parts
        )
        node = self._node
        node.counts.forwarded.observe((node.clock() - self.asked.at) * 1e-9)

    def unanswered(self, positions: Sequence[int] | None) -> None:
        """Have the next node decide."""
        failed = range(len(self.positions)) if positions is None else positions
        self._node.note_unanswered(self.to, len(failed))
        self._node.ask_next(self, failed)

    def _handed_back(self, positions: Sequence[int] | None) -> None:
        """Have the next node decide what this one, which is there, can't."""
        failed = range(len(self.positions)) if positions is None else positions
        self.declined = (*self.declined, self.to)
        if not self.asked.has_waited:  # else that was counted
            self._node.counts.unanswered[self.to] += len(failed)
        self._node.ask_next(self, failed)

    def hand_back(self) -> None:
        """Have the node that forwarded these checks to us ask another one."""
        frame = self.asked.frame
        no_answers: list[Answer] = [[0]] * len(self.positions)
        self.asked.send(Answers(frame.id, NOBODY, self._node.name, self.positions, no_answers))

    def answer(self, source: str, answers: list[Answer], node: str, parts: int = 1) -> None:
        """Answer all of these checks from here."""
        self._pass_on(source, node, None, answers, parts)

    def _pass_on(
        self,
        source: str,
        node: str,
        positions: Sequence[int] | None,
        answers: list[Answer],
        parts: int = 1,
    ) -> None:
        """Send answers to the checks at these positions of the forwarded ones (None: all)."""
        from_here = self.positions
        if positions is not None:
            back: list[int] | None = [from_here[position] for position in positions]
        else:
            back = None if self._whole else from_here
        frame = self.asked.frame
        asker = "node" if frame.hops else "app"
        self._node.counts.tally(asker, source).add(answers)
        self.asked.send(Answers(frame.id, source, node, back, answers, parts))
