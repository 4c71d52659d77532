"""Part peers_memory: bytes of RSS for a key, of each peer, filled by its client by hand."""

from __future__ import annotations

from contextlib import asynccontextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final

from bench.contenders.contender import charge_all
from bench.lab.processes import resident_bytes
from bench.lab.sidecars import BUDGET, sidecar
from bench.peers.asking.batching import calls, lines
from bench.peers.asking.messages import (
    GUBERNATOR,
    RATELIMIT,
    GubernatorCheck,
    PeerError,
    Rate,
    RateguardCheck,
    RatelimitCheck,
    ThrottlecrabCheck,
)
from bench.peers.servers import HOST, gubernator, rateguard, ratelimit_alone, throttlecrab
from bench.plan import HELD_LIMIT, HELD_TOKENS, LIMIT_WINDOW, key_names
from bench.results import UnavailableError, VoidError
from sidegate import Client

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from bench.lab.load import Ask
    from bench.plan import Plan
    from bench.results import Results

PART: Final = "peers_memory"
_RATE: Final = Rate(HELD_TOKENS, LIMIT_WINDOW)
_AN_HOUR: Final = Rate(HELD_TOKENS, 3_600)  # rateguard knows no longer unit
_BATCH: Final = 50_000  # names at a time
_NOTE: Final = (
    "each server alone in a fresh process, each key charged once; what its resident memory grew by "
    "from the first check on. gubernator's cache and rateguard's table are told to hold as many"
)


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Fill each with the same keys, in a fresh process each time."""
    results.notes[PART] = _NOTE
    setting = f"{plan.keys_held:,} keys"
    for name, offer in _STORES.items():  # once: what memory takes doesn't vary as time does
        tell(name)
        try:
            async with offer(folder, plan.keys_held) as (ask, pids):
                grown = await _grown(ask, pids, plan.keys_held)
        except UnavailableError as reason:
            results.skipped[f"{name} ({PART})"] = str(reason)
            continue
        except (VoidError, PeerError, OSError) as reason:
            results.void[f"{name} ({PART})"] = str(reason)
            continue
        results.add(PART, name, setting, 0, bytes_per_key=grown / plan.keys_held)


async def _grown(ask: Ask, pids: Sequence[int], count: int) -> int:
    await ask("warm")
    before = sum(map(resident_bytes, pids))
    keys = key_names(count)
    while some := list(islice(keys, _BATCH)):
        await charge_all(ask, some)
    return sum(map(resident_bytes, pids)) - before


@asynccontextmanager
async def _sidegate(folder: Path, _keys: int) -> AsyncGenerator[tuple[Ask, Sequence[int]]]:
    async with (
        sidecar(folder, "full") as server,
        Client(server.address, budget=BUDGET, lease=False) as client,
    ):
        yield lambda key: client.check(key, HELD_LIMIT), [server.pid]


@asynccontextmanager
async def _throttlecrab(folder: Path, _keys: int) -> AsyncGenerator[tuple[Ask, Sequence[int]]]:
    async with (
        throttlecrab(folder, "full") as server,
        lines(ThrottlecrabCheck(_RATE), HOST, server.port) as connection,
    ):
        yield connection.ask, [server.pid]


@asynccontextmanager
async def _rateguard(folder: Path, keys: int) -> AsyncGenerator[tuple[Ask, Sequence[int]]]:
    async with (
        rateguard(folder, "full", _AN_HOUR, keys=keys + 1) as server,
        lines(RateguardCheck(server.address), HOST, server.port) as connection,
    ):
        yield connection.ask, [server.pid]


@asynccontextmanager
async def _gubernator(folder: Path, keys: int) -> AsyncGenerator[tuple[Ask, Sequence[int]]]:
    async with (
        gubernator(folder, "full", keys=2 * keys) as server,
        calls(GubernatorCheck(_RATE), GUBERNATOR, server.host, server.port) as connection,
    ):
        yield connection.ask, [server.pid]


@asynccontextmanager
async def _ratelimit(folder: Path, _keys: int) -> AsyncGenerator[tuple[Ask, Sequence[int]]]:
    async with (
        ratelimit_alone(folder, _RATE) as (server, redis),
        calls(RatelimitCheck(), RATELIMIT, HOST, server.port) as connection,
    ):
        yield connection.ask, [server.pid, redis]


_STORES: Final[
    dict[str, Callable[[Path, int], AbstractAsyncContextManager[tuple[Ask, Sequence[int]]]]]
] = {
    "sidegate": _sidegate,
    "throttlecrab": _throttlecrab,
    "rateguard": _rateguard,
    "gubernator": _gubernator,
    "envoyproxy/ratelimit, with Redis": _ratelimit,
}
