"""Who waits in a process for answers of its sidecar: one leads, the others follow it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sidegate.link.blocking.trouble import Trouble
from sidegate.protocol.messages import MAX_CHECKS, MAX_REFUNDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.link.blocking.exchange import Question
    from sidegate.protocol.messages import Check

MAX_WAITING = 65_536  # checks: about 40 MB, as on a Link; beyond it, waiting longer helps no one


class Waiting:
    """The questions that aren't settled, what of them is still to be written, and refunds.

    The lock guards all of it, and is never held while something is waited for. Its module is asked
    for locks at each call, so that gevent may have replaced them.
    """

    def __init__(self, most: int = MAX_WAITING) -> None:
        self.lock = threading.Lock()
        self.leader: Question | None = None
        self._most = most
        self._followers: dict[Question, threading.Lock] = {}  # in the order in which they came
        self._queue: list[Question] = []
        self.refunds: list[Check] = []  # to be written by the leader, or by nobody

    # --- for everybody

    def enqueue(self, questions: Iterable[Question]) -> None:
        """Have questions of one thread written together; it joins with each of them in turn."""
        with self.lock:
            for question in questions:
                question.is_queued = True
                self._queue.append(question)

    def join(self, question: Question) -> threading.Lock | None:
        """Become the leader, or a follower with a lock that is released when it is to wake up.

        A question too many is settled at once.
        """
        with self.lock:
            if self.leader is None:
                self.leader = question
                if not question.is_queued:
                    self._queue.append(question)
                return None
            wake = threading.Lock()
            if len(self._followers) >= self._most:
                question.give_up(Trouble.FULL)
                return wake
            wake.acquire()
            self._followers[question] = wake
            if not question.is_queued:
                self._queue.append(question)
            return wake

    def lead(self, question: Question, *, anyway: bool = False) -> bool:
        """Become the leader with a question that isn't asked, if nobody leads and refunds wait.

        Or `anyway`.
        """
        with self.lock:
            if self.leader is not None or not (self.refunds or anyway):
                return False
            self.leader = question
            return True

    def give_back(self, check: Check) -> None:
        """Have a refund written; one too many is dropped."""
        with self.lock:
            if len(self.refunds) < MAX_REFUNDS:
                self.refunds.append(check)

    def give_up(self, question: Question, trouble: Trouble) -> None:
        """Settle a follower's question, unless it was settled or made the leader just now."""
        with self.lock:
            if self.leader is not question and not question.is_settled:
                question.give_up(trouble)

    def leave(self, question: Question) -> None:
        """Be nobody's follower, and leader no more: the lead goes to another one that waits."""
        if self.leader is not question and question not in self._followers:
            return  # without the lock: the common case, an answer has come
        with self.lock:
            question.is_settled = True  # if it was killed: nobody wants its answer any more
            self._followers.pop(question, None)
            if self.leader is question:
                self._pass_on()

    def _pass_on(self) -> None:
        """Wake the latest: it isn't asleep yet, and its answer comes last, so it leads longest."""
        self.leader = None
        while self._followers and self.leader is None:
            successor, wake = self._followers.popitem()
            if not successor.is_settled:
                self.leader = successor
            wake.release()

    # --- for the leader

    @property
    def oldest(self) -> Question | None:
        """The question of whoever has followed for longest."""
        return next(iter(self._followers), None)

    def take(self) -> list[Question]:
        """Return what is to be written next, as much as fits into a frame."""
        if not self._queue:
            return []
        with self.lock:
            taken = self._queue[:MAX_CHECKS]
            self._queue = self._queue[MAX_CHECKS:]
        return [question for question in taken if not question.is_settled]

    def take_refunds(self) -> list[Check]:
        """Return the refunds to be written now, or never."""
        with self.lock:
            taken, self.refunds = self.refunds, []
        return taken

    def take_all(self) -> list[Question]:
        """Return everything that is still to be written; nobody is to write it."""
        with self.lock:
            taken, self._queue = self._queue, []
        return [question for question in taken if not question.is_settled]

    def ask_again(self, stranded: list[Question]) -> list[Question]:
        """Have questions written once more, before all others; return those that already were."""
        again = [question for question in stranded if not question.is_again]
        twice = [question for question in stranded if question.is_again]
        for question in again:
            question.is_again = True
        with self.lock:
            self._queue[:0] = again
        return twice

    def wake(self, settled: list[Question]) -> None:
        """Wake the followers whose questions are settled."""
        followers = self._followers
        for question in settled:
            wake = followers.pop(question, None)  # atomic, so it needs no lock
            if wake is not None:
                wake.release()
