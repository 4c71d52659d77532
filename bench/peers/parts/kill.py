"""A crash: a node that has just decided half of some limits gets a SIGKILL."""

from __future__ import annotations

import asyncio
from itertools import cycle
from statistics import fmean
from time import perf_counter
from typing import TYPE_CHECKING, Final

from bench.peers.asking.messages import PeerError, Rate
from bench.peers.parts.deploy import allowed_of
from bench.peers.scene import Scene
from bench.peers.systems import LAST
from bench.results import VoidError
from sidegate import SidegateError

if TYPE_CHECKING:
    from bench.peers.systems import System
    from bench.plan import Plan

_RATE: Final = Rate(100, 3_600)
_SPENT: Final = 50
_KEYS: Final = 16
_NAMES: Final = 300  # to find the keys of one node among
_AFTER: Final = 3 * _RATE.tokens
_WITHIN: Final = 60.0  # seconds for an answer
_STEP: Final = 0.002
_LATER: Final = 0.5  # seconds: longer than any of them takes to tell others what it decided


async def _kill(system: System, later: float) -> dict[str, float]:
    """Return how long it took to the first answer about each key, and what was lost of a limit."""
    names = [f"{number}-customer" for number in range(_NAMES)]
    keys = (await system.keys_of_last(names))[:_KEYS]
    if not keys:
        raise VoidError(f"the last node decides none of {_NAMES} keys")
    fronts = cycle(range(LAST))  # those that stay
    before = await asyncio.gather(*(allowed_of(system, fronts, key, _SPENT) for key in keys))
    await asyncio.sleep(later)
    killed_at = perf_counter()
    killing = asyncio.create_task(system.kill_last())
    answered = await asyncio.gather(*(_first(system, key, killed_at) for key in keys))
    await killing
    after = await asyncio.gather(*(allowed_of(system, fronts, key, _AFTER) for key in keys))
    admitted = [
        spent + first + then
        for spent, (first, _), then in zip(before, answered, after, strict=True)
    ]
    return {
        "ms": max(took for _, took in answered) * 1e3,
        "mean": fmean(admitted),
        "most": max(admitted),
    }


async def _first(system: System, key: str, since: float) -> tuple[bool, float]:
    """Ask until somebody decides; return what, and after how many seconds."""
    while (elapsed := perf_counter() - since) < _WITHIN:
        try:
            async with asyncio.timeout(1.0):
                return await system.ask(0, key), perf_counter() - since
        except (PeerError, SidegateError, TimeoutError):
            await asyncio.sleep(_STEP)
    return False, elapsed


async def _run_at_once(system: System, _plan: Plan) -> dict[str, float]:
    return await _kill(system, 0.0)


async def _run_later(system: System, _plan: Plan) -> dict[str, float]:
    return await _kill(system, _LATER)


_NOTE: Final = (
    f"{_KEYS} keys of one node at 100/hour, {_SPENT} spent of each at the two others, and a "
    f"SIGKILL, at once or {_LATER} s later; until the last of these keys was decided, and then "
    f"{_AFTER} more. Right is 100. What no other node takes over is started again at once"
)
_COLUMNS: Final = {"ms": "ms to a decision", "mean": "admitted of 100, mean", "most": "most"}
AT_ONCE: Final = Scene(
    "kill -9 right after 50 of 100 were spent", _RATE, _run_at_once, _NOTE, _COLUMNS
)
LATER: Final = Scene(
    "kill -9 half a second after 50 of 100 were spent", _RATE, _run_later, _NOTE, _COLUMNS
)
