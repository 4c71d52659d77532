"""The blocking client: for threads, for gevent, and for processes that fork after they were set up.

It has no thread of its own and no event loop: those who ask share one connection and do the work
for each other (`multiplexer.py`). All waiting is in calls that gevent's patching can replace.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from sidegate.client.checks import question
from sidegate.client.config import DEFAULT_BUDGET, client_options
from sidegate.client.denials import Denials
from sidegate.client.shared import Shared
from sidegate.client.unreachable.alone import Alone
from sidegate.link.blocking.exchange import Question

if TYPE_CHECKING:
    from typing import Self

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.client.unreachable.fallback import Fallback
    from sidegate.trust.tls import Tls


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
        self._options = client_options(
            sidecar, budget, secret, tls, name, on_unreachable=on_unreachable
        )
        alone = Alone(str(self._options.sidecar), on_unreachable)
        self._shared = Shared(self._options, alone, Denials() if remember_denials else None)

    @property
    def nodes(self) -> int:
        """Return how many nodes are on the ring, as the sidecar last said."""
        return self._shared.alone.nodes

    @property
    def fallback(self) -> Fallback:
        """Return what decides when the sidecar doesn't."""
        return self._shared.alone.fallback

    def check(self, key: str, limits: str | Limits, cost: int = 1) -> Decision:
        """Charge `cost` tokens to the key's buckets, if all have them; return the Decision.

        It comes within the budget, whatever happens to the sidecar. Only a process that gets no
        CPU, or whose gevent hub is busy, may wait for longer (see `multiplexer.patience`), and is
        then answered by its own share of the limit, with source `local`. A cost of 0 only looks.
        What can't be asked raises at once: limits that don't parse, a cost above a burst, a key of
        over 512 bytes. CheckError if the sidecar can't decide it.
        """
        check, limits = question(key, limits, cost)
        shared = self._here()
        asked_at = time.monotonic_ns()
        if shared.denials and (denial := shared.recall(key, limits, cost, asked_at)):
            return denial
        decided = shared.decide(Question(check, asked_at * 1e-9), limits)
        if not decided.allowed:
            shared.remember(key, decided, asked_at)
        return decided

    def count(self, outcome: str) -> None:
        """Count one of `wire.OUTCOMES` that was decided without us, so that the sidecar hears."""
        self._here().alone.count(outcome)

    def _here(self) -> Shared:
        """Return what this process shares; a new one in a process that was forked since.

        There, locks may be held and buckets half changed by threads that don't exist. This is
        found out by the process id at the next check, and not by os.register_at_fork, which never
        lets go of what was registered.
        """
        shared = self._shared
        if shared.pid != os.getpid():
            shared.close()
            self._shared = shared = Shared(self._options, shared.alone.afresh(), shared.denials)
        return shared

    def close(self) -> None:
        """Close the connection; a later check opens one again."""
        shared = self._shared
        self._shared = Shared(self._options, shared.alone, shared.denials)
        shared.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
