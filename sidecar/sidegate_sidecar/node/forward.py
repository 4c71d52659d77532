"""A forward: checks of one frame on their way to the node that decides them, and back. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sidegate.protocol.messages import NOBODY, Answers, TracedChecks
from sidegate.protocol.traces import traces_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Protocol

    from sidegate.protocol.messages import Answer, Check, Checks, Trace

    class Forwarded(Protocol):
        """Checks under the serial and the places by which all nodes know them."""

        @property
        def serial(self) -> int:
            """That of their first forward."""
            ...

        @property
        def places(self) -> list[int] | None:
            """Their places there, None: in order."""
            ...

        @property
        def checks(self) -> list[Check]:
            """The checks."""
            ...

        def each(self) -> Iterable[tuple[Check, int]]:
            """Return each check with its place."""
            ...

    class Road(Protocol):
        """The way that forwards take: what a node does about answers, and about their lack."""

        def arrived(self, asked: Asked, answers: Answers, *, from_elsewhere: bool) -> None:
            """Send answers to whoever asked, and count them."""

        def failed(self, forward: Forward, failed: Sequence[int]) -> None:
            """Called with the positions of checks that got no answer: the next node is asked."""

        def declined(self, forward: Forward, failed: Sequence[int]) -> None:
            """Called with checks that the node which was asked, and is there, may not decide."""


Send: TypeAlias = Callable[[Answers], None]

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
        "_road",
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

    def __init__(
        self, road: Road, asked: Asked, to: str, positions: list[int], serial: int, now: int
    ) -> None:
        checks = asked.frame.checks
        self._road = road
        self._whole = len(positions) == len(checks)
        self.asked = asked
        self.checks = checks if self._whole else [checks[position] for position in positions]
        self.owner = to
        self.patience = max(asked.deadline - now, 0) * 1e-9 * OWNERS_SHARE
        self.positions = positions
        self.places: list[int] | None = None
        self.serial = serial
        if asked.frame.serial:
            whole = self._whole
            self.places = asked.frame.places if whole else places_of(asked.frame, positions)
        self.to = to
        self.tried: tuple[str, ...] = ()
        self.declined: tuple[str, ...] = ()  # of those tried: who said that they may not decide

    def each(self) -> Iterable[tuple[Check, int]]:
        """Return each check with its place among those first forwarded."""
        places = range(len(self.checks)) if self.places is None else self.places
        return zip(self.checks, places, strict=True)

    @property
    def traces(self) -> list[Trace] | None:
        """The spans that ask these checks, None if none does."""
        frame = self.asked.frame
        if type(frame) is TracedChecks and frame.traces:
            return traces_at(frame.traces, self.positions)
        return None

    def onward(self, to: str, some: list[int], now: int) -> Forward:
        """Return the forward of the checks at some positions in this one to the next node."""
        positions = [self.positions[at] for at in some]
        again = Forward(self._road, self.asked, to, positions, self.serial, now)
        again.places = some if self.places is None else [self.places[at] for at in some]
        again.owner = self.owner
        again.tried = (*self.tried, self.to)
        again.declined = self.declined
        return again

    def begin_anew(self) -> None:
        """Begin anew, as if nobody was asked; called on a forward to nobody, after a pause."""
        self.asked = self.asked._replace(has_waited=True)
        self.tried = self.declined = ()

    # --- what the node that was asked says

    def answered(self, answers: Answers) -> None:
        """Pass answers on; who hands checks back is there, and may not decide."""
        if answers.source == NOBODY:
            self.declined = (*self.declined, self.to)
            self._road.declined(self, self._all_or(answers.positions))
            return
        self._send(
            answers.source,
            answers.node,
            answers.positions,
            answers.answers,
            answers.parts,
            from_elsewhere=True,
        )

    def unanswered(self, positions: Sequence[int] | None) -> None:
        """Called when these checks got no answer: the next node is asked."""
        self._road.failed(self, self._all_or(positions))

    def _all_or(self, positions: Sequence[int] | None) -> Sequence[int]:
        return range(len(self.positions)) if positions is None else positions

    # --- what is decided here

    def hand_back(self, name: str) -> None:
        """Give these checks back to the node that forwarded them to us, which are `name`."""
        frame = self.asked.frame
        no_answers: list[Answer] = [[0]] * len(self.positions)
        self.asked.send(Answers(frame.id, NOBODY, name, self.positions, no_answers))

    def answer(self, source: str, answers: list[Answer], node: str, parts: int = 1) -> None:
        """Answer all of these checks from here."""
        self._send(source, node, None, answers, parts, from_elsewhere=False)

    def _send(
        self,
        source: str,
        node: str,
        positions: Sequence[int] | None,
        answers: list[Answer],
        parts: int,
        *,
        from_elsewhere: bool,
    ) -> None:
        """Send answers to the checks at these positions (None: all) under those of who asked."""
        from_here = self.positions
        if positions is not None:
            back: list[int] | None = [from_here[position] for position in positions]
        else:
            back = None if self._whole else from_here
        message = Answers(self.asked.frame.id, source, node, back, answers, parts)
        self._road.arrived(self.asked, message, from_elsewhere=from_elsewhere)
