"""Asking: requests that wait for decisions, and all checks of a turn in one frame. Pure.

One frame takes half the time of one for each, here and on the links to other nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from sidegate.protocol.messages import MAX_CHECKS, Checks

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.buckets.decision import Decision
    from sidegate.http.evaluation import RuleQuestion
    from sidegate.protocol.messages import Answers, Check
    from sidegate_sidecar.fronts.forward_auth.answering import AuthAnswer, AuthAnswering

MAX_TOGETHER: Final = 512  # checks of one frame: a millisecond with their answers
assert MAX_TOGETHER <= MAX_CHECKS // 2  # a request has few questions, and is never cut in two

Asker = TypeVar("Asker")


class Undecided(Generic[Asker]):
    """A request of somebody's that waits for the decisions of its questions."""

    __slots__ = ("_answering", "_decisions", "_left", "asker", "questions")

    def __init__(
        self, asker: Asker, questions: list[RuleQuestion], answering: AuthAnswering
    ) -> None:
        self.asker = asker
        self.questions = questions
        self._answering = answering
        self._left = len(questions)
        self._decisions: list[Decision | None] = [None] * len(questions)

    def take(self, at: int, answers: Answers, answer: list[int] | str) -> bool:
        """Take the answer to one of its questions; True with the last, and never again."""
        if self._decisions[at] is not None:
            return False
        self._left -= 1
        self._decisions[at] = self._answering.decided(self.questions[at], answers, answer)
        return not self._left

    def answer(self) -> AuthAnswer:
        """Return what becomes of it, once it has all."""
        made = [it for it in self._decisions if it is not None]
        return self._answering.answer(self.questions, made)


class AuthBatch(Generic[Asker]):
    """The checks of several requests; `done` is told of each that has all of its decisions."""

    def __init__(self, done: Callable[[Undecided[Asker]], None]) -> None:
        self._checks: list[Check] = []
        self._places: list[tuple[Undecided[Asker], int]] = []
        self._done = done

    @property
    def is_full(self) -> bool:
        """Is nothing more to be added?"""
        return len(self._checks) >= MAX_TOGETHER

    def add(self, asked: Undecided[Asker]) -> None:
        """Add the questions of a request."""
        for at, (rule, key, cost) in enumerate(asked.questions):
            self._checks.append((key, rule.limits.asked, cost))
            self._places.append((asked, at))

    def frame(self, microseconds: int) -> Checks:
        """Return all checks, to be decided within that time."""
        return Checks(0, 0, microseconds, self._checks)

    def take(self, answers: Answers) -> None:
        """Take answers to some of the checks, or to all."""
        places = self._places
        if answers.positions is not None:
            places = [places[position] for position in answers.positions]
        for (asked, at), answer in zip(places, answers.answers, strict=True):
            if asked.take(at, answers, answer):
                self._done(asked)
