"""A batch: the commands of one read, decided in one frame, and their replies in order. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.protocol.messages import MAX_CHECKS, Checks

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.protocol.messages import Answers
    from sidegate_sidecar.fronts.resp.throttling import Throttle

MAX_COMMANDS = 512  # in one batch, so that none of the shortest takes the loop for long: 1 ms
MAX_REPLIES = 64 << 10  # bytes, and one reply: what a client that doesn't read makes us keep
assert MAX_COMMANDS <= MAX_CHECKS


class Batch:
    """Replies, some of which are decided. `done` is called once, when none is missing.

    `tell` hears of each part that is answered: its source, and how many were allowed, denied, and
    answered by an error.
    """

    def __init__(
        self, done: Callable[[], None], tell: Callable[[str, int, int, int], None]
    ) -> None:
        self.replies: list[bytes] = []
        self.asked: list[Throttle] = []
        self._places: list[int] = []
        self._size = 0
        self._done = done
        self._tell = tell
        self._missing = 0

    @property
    def is_full(self) -> bool:
        """Is no more to be added?"""
        return len(self.replies) >= MAX_COMMANDS or self._size >= MAX_REPLIES

    def add(self, reply: bytes) -> None:
        """Add a reply that is known."""
        self.replies.append(reply)
        self._size += len(reply)

    def ask(self, asked: Throttle) -> None:
        """Add one that is to be decided."""
        self._places.append(len(self.replies))
        self.replies.append(b"")
        self.asked.append(asked)

    def frame(self, budget: float) -> Checks:
        """Return all checks, to be decided within `budget` seconds."""
        self._missing = len(self.asked)
        checks = [(key, limits.asked, cost) for _, key, limits, cost, _ in self.asked]
        return Checks(0, 0, int(budget * 1e6), checks)

    def take(self, answers: Answers) -> None:
        """Take answers to some of the checks, or to all."""
        some = answers.positions
        denied = errors = 0
        for position, answer in zip(
            range(len(self.asked)) if some is None else some, answers.answers, strict=True
        ):
            asked = self.asked[position]
            self.replies[self._places[position]] = asked.throttling.reply(asked, answers, answer)
            if isinstance(answer, str):
                errors += 1
            elif answer[0] == 0 or not asked.fits:
                denied += 1
        self._missing -= len(answers.answers)
        self._tell(answers.source, len(answers.answers) - denied - errors, denied, errors)
        if not self._missing:
            self._done()
