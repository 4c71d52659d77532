"""A multiplexer: the one connection of a process, shared by all threads or greenlets that ask.

There is no thread of our own and no event loop, so that a client lives through forks, under gevent
and in uWSGI without threads. Whoever asks while nobody leads becomes the *leader*: it dials, writes
what all have asked meanwhile in one frame, reads, and hands out the answers. When its own has come
it passes the lead on to another one that waits. The others, the followers, wait on a lock each.
One frame for many checks is also what makes this faster than a connection for each thread.

Trouble of our own is not the sidecar's. Threads that wait for the CPU, greenlets for a busy hub,
and a leader that could not run must not pass for a sidecar that is silent: then the breaker would
open in a burst, and let everybody through, which is when a limiter is for. Hence four rules.

1. Silence is measured in time listened, not in time gone by (`silence.py`).
2. A question is given up only after a read that found nothing more, so no answer is lost that lies
   in the socket's buffer already.
3. A budget of silence is enough, but not where tasks wait for the CPU, as the sidecar then may
   (`contention.py`): there it takes half of a check's patience.
4. Who has waited for a budget by the wall clock goes on waiting while that silence isn't complete,
   up to its patience. Then this process's share of the limit decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.link.blocking.conversation import Conversation, patience
from sidegate.link.blocking.exchange import Question
from sidegate.link.blocking.trouble import Trouble
from sidegate.link.blocking.waiting import Waiting

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from sidegate.link.blocking.conversation import ConversationWatcher
    from sidegate.link.endpoint import Endpoint
    from sidegate.protocol.messages import Check

_OURS = (Trouble.BUSY, Trouble.RESOLVING)  # troubles of a thread, whatever it asked


class Multiplexer:
    """Settles questions over one connection at a time, for all threads of one process."""

    def __init__(self, options: Endpoint, watcher: ConversationWatcher) -> None:
        self._budget = options.budget
        self._patience = patience(options.budget)
        self._is_closed = False
        self.waiting = Waiting()
        self._conversation = Conversation(options, self.waiting, watcher)

    def ask(self, question: Question) -> None:
        """Return when the question is settled: within its budget, unless this process is starved.

        A connection that broke while nobody asked, as it does when the sidecar is restarted, shows
        it only now. Then a check is asked once more on another one. If the sidecar had decided it
        and died before its answer left, and another node owns the key, it is charged twice: at
        most one cost too many for each death of a sidecar and each check then in flight. After
        silence nothing is asked again.
        """
        waiting, conversation = self.waiting, self._conversation
        try:
            wake = waiting.join(question)
            if wake is not None:
                self._follow(question, wake)
            while waiting.leader is question and not question.is_settled:
                conversation.step(question)
        except BaseException:
            if waiting.leader is question:
                question.is_settled = True
                conversation.break_off()
            raise
        finally:
            waiting.leave(question)
            if waiting.refunds:
                self._say_refunds()
            if self._is_closed:
                self.close()

    def ask_all(self, questions: Sequence[Question]) -> None:
        """Return when all questions are settled: they travel in one frame, and wait together.

        While its thread waits with one of them, others may settle the rest.
        """
        self.waiting.enqueue(questions)
        try:
            for question in questions:
                if not question.is_settled:
                    self.ask(question)
                if question.trouble in _OURS:  # the rest has waited for as long
                    for other in questions:
                        self.waiting.give_up(other, question.trouble)
        finally:
            for question in questions:
                question.is_settled = True  # if it was killed: nobody wants their answers any more

    def refund(self, check: Check) -> None:
        """Have the sidecar told of a refund: by who leads, or by this thread if nobody does.

        Said once, on a connection that is up, or never: it isn't kept for another one.
        """
        self.waiting.give_back(check)
        self._say_refunds()

    def _say_refunds(self) -> None:
        """Say what waits to be given back, unless somebody leads, who does it in its next step.

        Who leaves the lead calls this too, so nothing is left behind by who came too late for it.
        """
        while self.waiting.lead(nothing := Question(("", "", 0), 0.0)):
            try:
                self._conversation.say_refunds()
            except BaseException:
                self._conversation.break_off()
                raise
            finally:
                self.waiting.leave(nothing)
                if self._is_closed:
                    self.close()

    def look(self) -> None:
        """Say what leases have to say, and hear what has come, unless somebody leads, who does."""
        if not self.waiting.lead(nothing := Question(("", "", 0), 0.0), anyway=True):
            return
        try:
            self._conversation.look()
        except BaseException:
            self._conversation.break_off()
            raise
        finally:
            self.waiting.leave(nothing)
            if self.waiting.refunds:
                self._say_refunds()
            if self._is_closed:
                self.close()

    def _follow(self, question: Question, wake: threading.Lock) -> None:
        """Wait until the question is settled, or for the lead.

        It is the leader who sees to it that nobody waits too long. It can't while the system looks
        up a name for it; and twice the patience is for a leader that is stuck for good.
        """
        if question.is_settled or wake.acquire(timeout=self._budget):
            return
        if self._conversation.is_resolving:
            self.waiting.give_up(question, Trouble.RESOLVING)
        elif not wake.acquire(timeout=2 * self._patience - self._budget):
            self.waiting.give_up(question, Trouble.BUSY)

    def close(self) -> None:
        """Close the connection; if it is in use, when nobody waits on it any more."""
        with self.waiting.lock:
            self._is_closed = True
            if self.waiting.leader is None:
                self._conversation.drop()

    def abandon(self) -> None:
        """Let go of the connection of the process that we were forked from.

        It goes on using it. Nothing here waits for a lock, for a thread that isn't here may hold
        it.
        """
        self._conversation.abandon()
