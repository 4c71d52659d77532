"""The asyncio client: checks go to the local sidecar, all those of one loop turn in one write.

This is a hot path: `check` is a plain function that returns a future, so a check costs no
coroutine, no task and no timer of its own. That buys a factor of three over the obvious form.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sidegate.answers import decision
from sidegate.decision import Decision, Source
from sidegate.denials import Denials
from sidegate.errors import CheckError
from sidegate.fallback import Fallback
from sidegate.limits import Limits, parse_limits
from sidegate.link import Link
from sidegate.options import DEFAULT_BUDGET, Tls, client_options
from sidegate.question import question
from sidegate.wire import (
    SURELY_SHORT_KEY,
    Answer,
    Answers,
    Check,
    Forget,
    Hello,
    NodeMessage,
    Roster,
    refuse,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence
    from typing import Self

_MOST_DELAY = 0.5  # seconds between two dials: soon limited again when the sidecar is back


class Client:
    """Asks the local sidecar, over one link, from one event loop.

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
        self._remembers = remember_denials
        self._denials = Denials()
        self._denied = self._denials.table  # empty most of the time, which costs nothing to see
        self.nodes = 1  # on the ring, as the sidecar last said
        self._link: Link | None = None
        self._turn: _Turn | None = None

    def check(self, key: str, limits: str | Limits, cost: int = 1) -> asyncio.Future[Decision]:
        """Charge `cost` tokens to the key's buckets, if all have them; await the Decision.

        It comes within the budget, whatever happens to the sidecar. A cost of 0 only looks. Limits
        that don't parse, a cost above a burst and a key of over 512 bytes raise at once.
        """
        if type(limits) is str:
            limits = parse_limits(limits)
        if (  # the plain case of question(), which is a tenth of a check under load
            type(limits) is Limits
            and type(key) is str
            and type(cost) is int
            and 0 <= cost <= limits.smallest_burst
            and len(key) <= SURELY_SHORT_KEY
            and key.isascii()
        ):
            asked = (key, limits.text, cost)
        else:
            asked, limits = question(key, limits, cost)
        link = self._link or self._start()
        future: asyncio.Future[Decision] = link.loop.create_future()
        if self._denied and (denial := self._recall(key, limits, cost)):
            future.set_result(denial)
            return future
        turn = self._turn
        if turn is None:
            turn = self._turn = _Turn(self)
            link.loop.call_soon(self._flush)
        turn.checks.append(asked)
        turn.limits.append(limits)
        turn.futures.append(future)
        return future

    def _recall(self, key: str, limits: Limits, cost: int) -> Decision | None:
        return self._denials.recall(key, limits, cost, time.monotonic_ns())

    def note_denial(self, key: str, denial: Decision, asked_at: int) -> None:
        """Remember a denial, if this client does, as of when it was asked: never for too long."""
        if self._remembers:
            self._denials.remember(key, denial, asked_at)

    def _start(self) -> Link:
        options = self._options
        self._link = Link(
            options.sidecar,
            options.identity,
            self,
            context=options.context,
            patience=self._budget,
            most_delay=_MOST_DELAY,
            hurries=True,
        )
        return self._link

    def _flush(self) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        turn.asked_at = time.monotonic_ns()
        if self._link is None or not self._link.ask(turn.checks, 0, self._budget, turn):
            turn.unanswered(None)

    async def connect(self) -> bool:
        """Dial the sidecar now instead of at the first check; is it there, within the budget?"""
        decision = await self.check("sidegate", "1/second", 0)
        return decision.source not in {Source.OPEN, Source.CLOSED, Source.LOCAL}

    async def close(self) -> None:
        """Close the link; checks in flight are answered by `on_unreachable`."""
        self._flush()
        link, self._link = self._link, None
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

    def link_trusted(self, _link: Link) -> None:
        """Do nothing: checks flow again."""

    def message(self, _link: Link, message: NodeMessage) -> None:
        """Forget the denials of a key that was reset."""
        if not isinstance(message, Forget):
            refuse(message)
        self._denials.forget(message.key)

    def roster(self, _link: Link, roster: Roster) -> None:
        """Keep the size of the ring, for this process's share of a limit."""
        self.nodes = max(len(roster.members), 1)


class _Turn:
    """The checks of one turn of the loop, their limits, and the futures that wait for answers."""

    __slots__ = ("_client", "asked_at", "checks", "futures", "limits")

    def __init__(self, client: Client) -> None:
        self._client = client
        self.asked_at = 0  # ns
        self.checks: list[Check] = []
        self.limits: list[Limits] = []
        self.futures: list[asyncio.Future[Decision]] = []

    def answered(self, answers: Answers) -> None:
        """Resolve the futures; the plain case, all allowed by the owner, without detours."""
        if answers.source != Source.OWNER or answers.positions is not None:
            self._answered_otherwise(answers)
            return
        node, owner = answers.node, Source.OWNER
        asked = zip(self.futures, self.limits, self.checks, answers.answers, strict=True)
        for future, limits, check, answer in asked:
            if isinstance(answer, list) and answer[0] and len(answer) == len(limits.items) + 1:
                if not future.done():
                    future.set_result(Decision(True, limits, check[2], answer[1:], owner, node))
            else:
                self._settle(future, limits, check, answers, answer)

    def _answered_otherwise(self, answers: Answers) -> None:
        positions = answers.positions
        for position, answer in zip(
            range(len(self.checks)) if positions is None else positions,
            answers.answers,
            strict=True,
        ):
            check, limits = self.checks[position], self.limits[position]
            self._settle(self.futures[position], limits, check, answers, answer)

    def _settle(
        self,
        future: asyncio.Future[Decision],
        limits: Limits,
        check: Check,
        answers: Answers,
        answer: Answer,
    ) -> None:
        if future.done():
            return  # its caller gave up
        key, _, cost = check
        try:
            made = decision(answers, answer, limits, cost)
        except CheckError as error:
            future.set_exception(error)
            return
        future.set_result(made)
        if not made.allowed:
            self._client.note_denial(key, made, self.asked_at)

    def unanswered(self, positions: Sequence[int] | None) -> None:
        """Answer by the policy for unreachable: here, since the sidecar can't."""
        client, now = self._client, time.monotonic_ns()
        for position in range(len(self.checks)) if positions is None else positions:
            key, _, cost = self.checks[position]
            future, limits = self.futures[position], self.limits[position]
            if not future.done():
                future.set_result(client.fallback.decide(key, limits, cost, client.nodes, now))
