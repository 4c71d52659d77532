"""Over-admission: one key, asked for ten times what its limit allows, at three nodes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING, Final

from bench.peers.admitted import Admitted
from bench.peers.asking.messages import PeerError, Rate
from bench.peers.scene import Scene
from bench.peers.systems import NODES
from sidegate import SidegateError

if TYPE_CHECKING:
    from bench.peers.systems import System
    from bench.plan import Plan

_RATE: Final = Rate(1_000, 1)
_OFFERED: Final = 10 * _RATE.tokens  # a second, in turn at each node
_LENGTHS: Final = 5  # of a point of the plan
_STEP: Final = 0.001  # seconds between two bursts of checks
_MAX_UNDER_WAY: Final = 2_000  # a node that stands still is not to fill the memory with questions


async def _run(system: System, plan: Plan) -> dict[str, float]:
    """Offer so much for some seconds, and hold what was admitted against the limit."""
    seen = Admitted(_RATE)
    for front in range(NODES):  # so that nodes have met about this key before they are pressed
        await _one(system, front, seen)
    await _offer(system, plan.seconds * _LENGTHS, seen)
    seconds = (seen.last - seen.first) / 1e9
    return {
        "seconds": seconds,
        "offered": seen.asked / seconds,
        "too_many": seen.too_many * 100,
        "second": seen.most_in_a_second,
        "errors": seen.errors / seen.asked * 100,
    }


async def _offer(system: System, seconds: float, seen: Admitted) -> None:
    under_way: set[asyncio.Task[None]] = set()
    began, sent = perf_counter(), 0
    while (elapsed := perf_counter() - began) < seconds:
        for number in range(sent, int(elapsed * _OFFERED)):
            if len(under_way) >= _MAX_UNDER_WAY:
                break
            task = asyncio.create_task(_one(system, number % NODES, seen))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        sent = int(elapsed * _OFFERED)
        await asyncio.sleep(_STEP)
    await asyncio.gather(*under_way)


async def _one(system: System, front: int, seen: Admitted) -> None:
    began = perf_counter_ns()
    allowed: bool | None = None
    with suppress(PeerError, SidegateError):
        allowed = await system.ask(front, "busy")
    seen.note(began, perf_counter_ns(), allowed)


OVERLOAD: Final = Scene(
    title="one key at 10 times its limit",
    rate=_RATE,
    run=_run,
    note="1,000/second, 10,000 checks a second offered, in turn at all three. Beyond: of 1,000 and "
    "what came back from the first check to the last answer; less than 0 is too few",
    columns={
        "offered": "offered/s",
        "too_many": "beyond the limit, %",
        "second": "most in 1 s",
        "errors": "undecided, %",
    },
)
