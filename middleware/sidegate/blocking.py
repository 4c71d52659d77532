"""The blocking client: for threads, for gevent, and for processes that fork after they were set up.

It has no thread of its own and no event loop. Each thread that is asking has a line of its own
for the moment, and waits in a plain `recv` with a timeout, which gevent's patching can replace.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from typing import TYPE_CHECKING

from sidegate.answers import decision
from sidegate.breaker import Breaker, Entry
from sidegate.denials import Denials
from sidegate.errors import CheckError
from sidegate.fallback import Fallback
from sidegate.line import Line, dial
from sidegate.options import DEFAULT_BUDGET, Tls, client_options
from sidegate.pool import Pool
from sidegate.question import question
from sidegate.wire import Forget, Roster, WireError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from sidegate.decision import Decision
    from sidegate.limits import Limits
    from sidegate.wire import Check

log = logging.getLogger("sidegate")


class BlockingClient:
    """Asks the local sidecar, from any thread; takes the same options as a Client.

    `sidecar` is "HOST:PORT" or "unix:/PATH" (default: SIDEGATE_SIDECAR, or 127.0.0.1:7171);
    `budget` the seconds that a check may take; `on_unreachable` what is answered when the sidecar
    doesn't: "open", "closed" or "local"; `secret` proves who we are on TCP (default: that in the
    file SIDEGATE_SECRET_FILE, which may change, or SIDEGATE_SECRET; of several, one a line, the
    first). ValueError names an option that can't be used.
    """

    def __init__(
        self,
        sidecar: str | None = None,
        *,
        budget: float = DEFAULT_BUDGET,
        on_unreachable: str = "open",
        secret: str | bytes | None = None,
        tls: Tls | None = None,
        remember_denials: bool = True,
        name: str = "app",
    ) -> None:
        self._options = client_options(sidecar, budget, secret, tls, name)
        self._budget = budget
        self.fallback = Fallback(on_unreachable)
        self.denials = Denials() if remember_denials else None
        self.nodes = 1  # on the ring, as the sidecar last said
        self._fault = ""  # why the last check got no answer; said once, not for each check
        self._process = _Process(self._dial)

    def check(self, key: str, limits: str | Limits, cost: int = 1) -> Decision:
        """Charge `cost` tokens to the key's buckets, if all have them; return the Decision.

        It comes within the budget, whatever happens to the sidecar. A cost of 0 only looks. What
        can't be asked raises at once: limits that don't parse, a cost above a burst, a key of
        over 512 bytes. CheckError if the sidecar can't decide it.
        """
        check, limits = question(key, limits, cost)
        process = self._process
        if process.pid != os.getpid():
            process = self._leave_parent(process)
        asked_at = time.monotonic_ns()
        if denial := self._recall(process, key, limits, cost, asked_at):
            return denial
        decided = self._ask(process, check, limits)
        if decided is None:
            with process.lock:
                return self.fallback.decide(key, limits, cost, self.nodes, time.monotonic_ns())
        if not decided.allowed and self.denials is not None:
            with process.lock:
                self.denials.remember(key, decided, asked_at)
        return decided

    def _recall(
        self, process: _Process, key: str, limits: Limits, cost: int, now: int
    ) -> Decision | None:
        if not self.denials:  # nobody was denied of late
            return None
        with process.lock:
            return self.denials.recall(key, limits, cost, now)

    def _ask(self, process: _Process, check: Check, limits: Limits) -> Decision | None:
        """Return the sidecar's decision, None if there is none within the budget."""
        now = time.monotonic()
        breaker = process.breaker
        entry = breaker.enter(now)
        if entry is Entry.REFUSED:
            return None
        try:
            answers = process.pool.ask(check, now + self._budget)
            decided = decision(answers, answers.answers[0], limits, check[2])
        except CheckError:
            breaker.succeeded()
            raise
        except (OSError, ValueError, WireError) as error:  # ValueError: a host that can't be one
            breaker.failed(entry, time.monotonic())
            self._note(str(error) or type(error).__name__)
            return None
        except BaseException:
            breaker.abandoned(entry)
            raise
        breaker.succeeded()
        self._fault = ""
        return decided

    def _note(self, fault: str) -> None:
        if fault != self._fault:  # said once, not for each check
            log.warning("sidecar %s: %s", self._options.sidecar, fault)
        self._fault = fault

    def _dial(self, deadline: float) -> Line:
        return dial(self._options, self._told, deadline)

    def _told(self, message: Roster | Forget) -> None:
        if isinstance(message, Roster):
            self.nodes = max(len(message.members), 1)
        elif self.denials:
            with self._process.lock:
                self.denials.forget(message.key)

    def _leave_parent(self, process: _Process) -> _Process:
        """Start afresh in a process that was forked off the one that used this client before.

        Locks may have been held and buckets half changed by threads that aren't here. This is
        found out by the process id at the next check, and not by os.register_at_fork, which
        never lets go of what was registered.
        """
        process.pool.abandon()
        self.fallback = Fallback(self.fallback.policy)
        self._process = process = _Process(self._dial)
        return process

    def close(self) -> None:
        """Close all connections; a later check opens one again."""
        process, self._process = self._process, _Process(self._dial)
        process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Process:
    """What the threads of one process share."""

    __slots__ = ("breaker", "lock", "pid", "pool")

    def __init__(self, dial: Callable[[float], Line]) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()  # over the tables of denials and of the fallback
        self.pool = Pool(dial)
        self.breaker = Breaker(random.uniform)

    def close(self) -> None:
        if self.pid == os.getpid():
            self.pool.close()
        else:
            self.pool.abandon()
