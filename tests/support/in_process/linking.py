"""A link to a puppet, and who asks over it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sidegate.link.address import Address
from sidegate.link.health import LinkState
from sidegate.link.link import Link
from sidegate.protocol.handshake import Identity
from sidegate.protocol.messages import Answers, Check, Checks, Hello, Roster, UnaskedMessage
from tests.support.in_process.cluster import GENEROUS, eventually
from tests.support.in_process.puppets import Puppet, puppet

ME = Identity("app", "me", "")
SOON = 0.05  # seconds: a budget that is to run out


class Asking:
    """Who asked some checks: what came for each of them, None for "no answer"."""

    def __init__(self, count: int = 1) -> None:
        self.got: list[list[object]] = [[] for _ in range(count)]
        self.sources: list[str] = []

    def answered(self, answers: Answers) -> None:
        positions = range(len(self.got)) if answers.positions is None else answers.positions
        for position, answer in zip(positions, answers.answers, strict=True):
            self.got[position].append(answer)
        self.sources.append(answers.source)

    def unanswered(self, positions: Sequence[int] | None) -> None:
        for position in range(len(self.got)) if positions is None else positions:
            self.got[position].append(None)

    def settled(self) -> bool:
        """Is there something for each check?"""
        return all(self.got)


UNANSWERED: list[list[object]] = [[None]]


class Watching:
    """Who hears of a link."""

    def __init__(self) -> None:
        self.ups: list[Hello] = []
        self.downs = 0
        self.trusted = 0
        self.refusals: list[str] = []
        self.ended = 0
        self.rosters: list[Roster] = []
        self.messages: list[UnaskedMessage] = []

    def link_up(self, _link: Link, peer: Hello, /) -> None:
        self.ups.append(peer)

    def link_down(self, _link: Link, /) -> None:
        self.downs += 1

    def link_trusted(self, _link: Link, /) -> None:
        self.trusted += 1

    def link_refused(self, _link: Link, why: str, /) -> None:
        self.refusals.append(why)

    def link_ended(self, _link: Link, /) -> None:
        self.ended += 1

    def roster(self, _link: Link, roster: Roster, /) -> None:
        self.rosters.append(roster)

    def on_message(self, _link: Link, message: UnaskedMessage, /) -> None:
        self.messages.append(message)

    def has_gone_down(self, times: int) -> bool:
        """Did it break that often?"""
        return self.downs == times


@asynccontextmanager
async def linked(address: Address, **options: Any) -> AsyncGenerator[tuple[Link, Watching]]:
    """Link to an address."""
    watching = options.pop("watching", None) or Watching()
    link = Link(address, options.pop("me", ME), watching, **options)
    try:
        yield link, watching
    finally:
        async with asyncio.timeout(GENEROUS):
            await link.close()


@asynccontextmanager
async def pair(**options: Any) -> AsyncGenerator[tuple[Link, Puppet]]:
    """Link to a puppet, and wait until the link is up."""
    async with puppet() as other, linked(other.address, **options) as (link, _):
        await eventually(lambda: link.state is LinkState.UP and other.connections)
        yield link, other


@asynccontextmanager
async def linked_to_nobody(**options: Any) -> AsyncGenerator[tuple[Link, Watching]]:
    """Link to an address where nobody listens."""
    async with puppet() as other:
        address = other.address
    async with linked(address, **options) as both:
        yield both


def some(count: int, key: str = "k") -> list[Check]:
    """Return checks of so many keys."""
    return [(f"{key}{at}", "1/day", 1) for at in range(count)]


def ask(link: Link, count: int = 1, budget: float = GENEROUS) -> Asking:
    """Ask so many checks."""
    asking = Asking(count)
    assert link.ask(some(count), 0, budget, asking)
    return asking


def answer(frame: Checks, positions: list[int] | None = None) -> Answers:
    """Answer each check with its number."""
    count = len(frame.checks)
    at = range(count) if positions is None else positions
    numbers = [int(frame.checks[position][0].strip("k")) for position in at]
    return Answers(frame.id, "owner", "puppet", positions, [[1, number] for number in numbers])


async def answered(other: Puppet, asking: Asking) -> None:
    """Answer the next frame, and wait until the asker has all of its answers."""
    await other.say(answer(await other.hear(Checks)))
    await eventually(asking.settled)


async def suspected(link: Link) -> Asking:
    """Have a link become suspect by a question that its other side leaves unanswered."""
    asking = ask(link, 1, SOON)
    await eventually(lambda: link.state is LinkState.SUSPECT)
    return asking


def numbered(count: int) -> list[list[object]]:
    """Return what has come when all checks were answered so."""
    return [[[1, number]] for number in range(count)]


async def answer_all(other: Puppet, frames: list[Checks]) -> None:
    """Answer every frame that comes, and keep them."""
    while True:
        frames.append(await other.hear(Checks))
        await other.say(answer(frames[-1]))
