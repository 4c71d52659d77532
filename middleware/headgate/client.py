"""The asyncio client: checks go to the local sidecar, all those of one loop turn in one write.

This is a hot path: `check` is a plain function that returns a future, so a check costs no
coroutine, no task and no timer of its own. That buys a factor of three over the obvious form.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from headgate.decision import Decision, Source
from headgate.denials import Denials
from headgate.errors import CheckError, CostError
from headgate.fallback import Fallback
from headgate.limits import Limits, parse_limits
from headgate.link import Link
from headgate.options import DEFAULT_BUDGET, Tls, client_options
from headgate.wire import Answers, Check, Hello, Roster, require_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

_MOST_DELAY = (
    0.5  # seconds between two dials: an app is limited again soon after its sidecar is back
)


class Client:
    """Asks the local sidecar, over one link, from one event loop.

    `sidecar` is "HOST:PORT" or "unix:/PATH" (default: HEADGATE_SIDECAR, or 127.0.0.1:7171);
    `budget` the seconds that a check may take; `on_unreachable` what is answered when the sidecar
    doesn't: "open", "closed" or "local"; `secret` proves who we are on TCP (default:
    HEADGATE_SECRET or HEADGATE_SECRET_FILE). ValueError names an option that can't be used.
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
        self._link: Link | None = None
        self._turn: _Turn | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def check(self, key: str, limits: str | Limits, cost: int = 1) -> asyncio.Future[Decision]:
        """Charge `cost` tokens to the key's buckets, if all have them; await the Decision.

        It comes within the budget, whatever happens to the sidecar. A cost of 0 only looks. Limits
        that don't parse, a cost above a burst and a key of over 512 bytes raise at once.
        """
        if isinstance(limits, str):
            limits = parse_limits(limits)
        if not 0 <= cost <= limits.smallest_burst:
            raise CostError(cost, limits.smallest_burst)
        require_key(key)
        loop = self._loop or self._start()
        future: asyncio.Future[Decision] = loop.create_future()
        if self.denials and (denial := self.denials.recall(key, limits, cost, time.monotonic_ns())):
            future.set_result(denial)
            return future
        turn = self._turn
        if turn is None:
            turn = self._turn = _Turn(self)
            loop.call_soon(self._flush)
        turn.checks.append((key, limits.text, cost))
        turn.asked.append((future, limits))
        return future

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = self._loop = asyncio.get_running_loop()
        options = self._options
        self._link = Link(
            options.sidecar,
            options.identity,
            self,
            context=options.context,
            most_delay=_MOST_DELAY,
        )
        return loop

    def _flush(self) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        if self._link is None or not self._link.ask(turn.checks, 0, self._budget, turn):
            turn.unanswered(None)

    async def connect(self) -> bool:
        """Dial the sidecar now instead of at the first check; is it there, within the budget?"""
        decision = await self.check("headgate", "1/second", 0)
        return decision.source not in {Source.OPEN, Source.CLOSED, Source.LOCAL}

    async def close(self) -> None:
        """Close the link; checks in flight are answered by `on_unreachable`."""
        self._flush()
        link, self._link, self._loop = self._link, None, None
        if link is not None:
            await link.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- what the link tells

    def link_up(self, _link: Link, _peer: Hello) -> None:
        """Do nothing: checks flow from here on."""

    def link_down(self, _link: Link) -> None:
        """Do nothing: the link refuses checks until it is back."""

    def roster(self, _link: Link, roster: Roster) -> None:
        """Keep the size of the ring, for this process's share of a limit."""
        self.nodes = max(len(roster.members), 1)


class _Turn:
    """The checks of one turn of the loop, and the futures that wait for their answers."""

    __slots__ = ("_client", "asked", "checks")

    def __init__(self, client: Client) -> None:
        self._client = client
        self.checks: list[Check] = []
        self.asked: list[tuple[asyncio.Future[Decision], Limits]] = []

    def answered(self, answers: Answers) -> None:
        source, denials = Source(answers.source), self._client.denials
        checks, asked = self.checks, self.asked
        if answers.positions is not None:
            checks = [checks[position] for position in answers.positions]
            asked = [asked[position] for position in answers.positions]
        if source is Source.LOCAL:
            asked = [(future, limits.divided(answers.parts)) for future, limits in asked]
        for (key, _, cost), (future, limits), answer in zip(
            checks, asked, answers.answers, strict=True
        ):
            if future.done():
                continue  # its caller gave up
            if isinstance(answer, str):
                future.set_exception(CheckError(answer))
                continue
            decision = Decision(answer[0] == 1, limits, cost, answer[1:], source, answers.node)
            future.set_result(decision)
            if not decision.allowed and denials is not None:
                denials.remember(key, decision, time.monotonic_ns())

    def unanswered(self, positions: Sequence[int] | None) -> None:
        """Answer by the policy for unreachable: here, since the sidecar can't."""
        client, now = self._client, time.monotonic_ns()
        for position in range(len(self.checks)) if positions is None else positions:
            key, _, cost = self.checks[position]
            future, limits = self.asked[position]
            if not future.done():
                future.set_result(client.fallback.decide(key, limits, cost, client.nodes, now))
