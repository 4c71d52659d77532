"""A handover: a node joins one that holds many keys, and takes them all over when that leaves."""

from __future__ import annotations

import asyncio
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Final

from bench.contenders.contender import charge_all
from bench.lab.crowd import crowd, joined
from bench.lab.fleet import Fleet, fleet
from bench.lab.sidecars import BUDGET
from bench.plan import HELD_LIMIT, HELD_TOKENS, key_names
from bench.results import VoidError
from sidegate import Client, Source

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results
    from sidegate import Decision

PART: Final = "handover"
BEFORE: Final = "before"
START: Final = "its process starts"
JOIN: Final = "join"
LEAVE: Final = "leave"
MEANWHILE: Final = "join and leave"
AFTER: Final = "after, all a hop away"

_OLD: Final = "old"
_NEW: Final = "new"
_IN_FLIGHT: Final = 4
_SAMPLE: Final = 1_000  # keys that are charged once more, and then looked at on the new node
_BATCH: Final = 50_000  # names at a time
_NOTE: Final = (
    f"a second node is started, then the first one leaves by POST /v1/leave; {_IN_FLIGHT} checks "
    "in flight at the first one's unix socket, random keys of those held; what became the other's "
    "takes a second hop. While its process starts nothing is handed over, but three processes "
    "share the cores: what that row costs is this machine's. Join: from there until /readyz. "
    "After: the first node has left, and passes all checks on: the same hop, and nothing moves. "
    "Missing: keys that the second node lacks when the first one has left; wrong: of "
    f"{_SAMPLE:,} keys those that have another number of tokens left there than they should"
)


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Hand over to a fresh node, from one that is filled anew in each round."""
    results.notes["handover"] = _NOTE
    for round_ in range(plan.rounds):
        tell(f"round {round_ + 1}: fill")
        async with fleet(folder, _OLD) as nodes:
            await _fill(nodes, plan.keys_held)
            tell(f"round {round_ + 1}: hand over")
            await _hand_over(nodes, plan, results, round_)


async def _hand_over(nodes: Fleet, plan: Plan, results: Results, round_: int) -> None:
    keys = _at_random(plan.keys_held)
    async with crowd(keys, HELD_LIMIT, _IN_FLIGHT, nodes.nodes[_OLD]) as apps:
        await apps.stretch(plan.warm_up)
        before = await apps.stretch(plan.seconds)
        await nodes.launch(_NEW)
        starting = apps.turn()
        await nodes.ready(_NEW)
        joining = apps.turn()
        await nodes.leave(_OLD)
        leaving = apps.turn()
        after = await apps.stretch(plan.seconds)
        missing = plan.keys_held - await _held(nodes, _NEW)
    wrong = await _wrong(nodes)
    meanwhile = joined(joining, leaving)
    stretches = {
        BEFORE: before,
        START: starting,
        JOIN: joining,
        LEAVE: leaving,
        MEANWHILE: meanwhile,
        AFTER: after,
    }
    for name, stretch in stretches.items():
        figures = stretch.figures()
        if name == MEANWHILE:
            figures |= {"missing": missing, "wrong": wrong}
        results.add(PART, name, f"{plan.keys_held:,} keys", round_, **figures)


async def _fill(nodes: Fleet, count: int) -> None:
    """Charge all keys, and those of the sample each by another number of tokens."""
    old = nodes.nodes[_OLD]
    async with Client(old.address, budget=BUDGET, lease=False) as client:

        def charge(key: str) -> Awaitable[Decision]:
            return client.check(key, HELD_LIMIT)

        keys = key_names(count)
        while some := list(islice(keys, _BATCH)):
            await charge_all(charge, some)
        await asyncio.gather(
            *(client.check(key, HELD_LIMIT, more) for key, more in _sample().items())
        )
    if (held := await _held(nodes, _OLD)) != count:
        raise VoidError(f"{_OLD} holds {held:,} keys instead of {count:,}")


async def _wrong(nodes: Fleet) -> int:
    """Return of how many keys of the sample the new node doesn't know what was charged."""
    wrong = 0
    async with Client(nodes.nodes[_NEW].address, budget=BUDGET, lease=False) as client:
        for key, more in _sample().items():
            found = await client.check(key, HELD_LIMIT, 0)
            if (found.source, found.node) != (Source.OWNER, _NEW):
                raise VoidError(f"{key} is decided by {found.node or 'nobody'} ({found.source})")
            wrong += found.remaining != HELD_TOKENS - 1 - more
    return wrong


async def _held(nodes: Fleet, name: str) -> int:
    return int((await nodes.look(nodes.nodes[name]))["keys"])


def _sample() -> dict[str, int]:
    """Return the first keys, and what they are charged beyond the one token of all keys."""
    return {key: 1 + at % (HELD_TOKENS - 1) for at, key in enumerate(key_names(_SAMPLE))}


def _at_random(count: int) -> Iterator[str]:
    """Make keys of those that are held, without an end, none of the sample among them."""
    draw = Random(0).randrange
    while True:
        yield f"user:{draw(_SAMPLE, count):012}"
