"""Made-up keys by the hundred thousand, at full speed, on a sidecar in a process of its own."""

import sys
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

import pytest

from sidegate import Client
from sidegate.link.address import Address, parse_address
from sidegate.protocol.messages import Answers, Check
from tests.support.in_process.cluster import GENEROUS
from tests.support.in_process.puppets import APP, bare, checks
from tests.support.processes.fleet import fleet
from tests.support.processes.memory import resident

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MEMORY: Final = 24 << 20  # bytes: some 40,000 to 100,000 keys
BESIDES: Final = 4 << 20  # bytes that grow beside the table: code that is run first, frames
KEYS: Final = 240_000
FRAME: Final = 200
PHASE: Final = 40_000  # keys of one length, in turn
DEBTORS: Final = {"login": ("5/minute", 5), "search": ("100/day", 1), "shop/api": ("10/hour", 7)}


def of_all_lengths(random: Random) -> Iterator[Check]:
    """Give keys of 5 to 512 bytes, ASCII and not."""
    for at in range(KEYS):
        length = random.randrange(500)
        wide = "🂡" * (length // 4) if at % 2 else "k" * length
        yield f"api:{at:x}{wide}", "10/hour", 1


def of_one_length_after_the_other(_random: Random) -> Iterator[Check]:
    """Give keys by which the allocator loses most: one in a hundred of each length stays."""
    for at in range(KEYS):
        yield f"api:{at:010}{'k' * (at // PHASE * 32)}", "10/hour", 1 if at % 100 else 10


def of_made_up_rules(_random: Random) -> Iterator[Check]:
    """Give keys that each name a rule of their own."""
    for at in range(KEYS // 4):
        yield f"rule{at}:key", "10/hour", 1


async def flooded(address: Address, asked: Iterator[Check]) -> None:
    """Ask all of it in frames, one after the other."""
    async with bare(address, APP) as app:
        rest, number = list(asked), 0
        while rest:
            some, rest = rest[:FRAME], rest[FRAME:]
            number += 1
            await app.send(checks(number, *some))
            answered = 0
            while answered < len(some):
                message = await app.next()
                assert isinstance(message, Answers), message
                answered += len(message.answers)


async def spent(client: Client) -> dict[tuple[str, str], int]:
    """Have 90 debtors of three rules; return what is left of their limits."""
    for rule, (limit, cost) in DEBTORS.items():
        for at in range(30):
            assert (await client.check(f"{rule}:user{at}", limit, cost)).allowed
    return await left(client)


async def left(client: Client) -> dict[tuple[str, str], int]:
    return {
        (rule, f"user{at}"): (await client.check(f"{rule}:user{at}", limit, 0)).remaining or 0
        for rule, (limit, _) in DEBTORS.items()
        for at in range(30)
    }


@pytest.mark.parametrize(
    "made_up", [of_all_lengths, of_one_length_after_the_other, of_made_up_rules]
)
async def test_a_flood_of_keys_takes_no_more_memory_than_it_may_and_frees_nobody(
    made_up: Callable[[Random], Iterator[Check]],
) -> None:
    """By whatever keys: what the chart's limit leaves room for, and all debtors of other rules."""
    async with fleet("a", max_memory=MEMORY) as nodes:
        node = nodes.nodes["a"]
        async with Client(str(node.link), budget=GENEROUS, remember_denials=False) as client:
            before = await spent(client)
            pid = node.pid
            idle = resident(pid)
            await flooded(parse_address(str(node.link)), made_up(Random(7)))
            assert node.exit_code is None, node.log
            assert resident(pid) - idle < MEMORY * 5 // 4 + BESIDES
            after = await left(client)
    refilled = {place for place in after if place[0] == "login"}
    assert {it: n for it, n in after.items() if it not in refilled} == {
        it: n for it, n in before.items() if it not in refilled
    }
    assert all(after[place] <= 4 for place in refilled)  # a minute has not passed
