"""Part (d): bytes of RSS for a key, ours and Redis's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from bench.contenders.redis_server import gcra_arguments, redis_server
from bench.lab.processes import output_of, python, resident_bytes
from bench.lab.sidecars import BUDGET, sidecar
from bench.plan import HELD_LIMIT, HELD_TOKENS, key_names
from bench.results import UnavailableError, VoidError
from sidegate import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.plan import Plan
    from bench.results import Results

PART: Final = "memory"
TABLE: Final = "sidegate, table"
SIDECAR: Final = "sidegate, sidecar"
REDIS: Final = "Redis"
_BATCH: Final = 1_000

Weigh: TypeAlias = Callable[[int, Path], Awaitable[int]]


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Fill each store with the same keys, in a fresh process each time."""
    setting = f"{plan.keys_held:,} keys"
    for round_ in range(plan.rounds):
        for name, (weigh, note) in _STORES.items():
            tell(f"round {round_ + 1}: {name}")
            try:
                grown = await weigh(plan.keys_held, folder)
            except UnavailableError as reason:
                results.skipped[f"{name} ({PART})"] = str(reason)
                continue
            results.notes[name] = note
            results.add(PART, name, setting, round_, bytes_per_key=grown / plan.keys_held)


async def _table(count: int, _folder: Path) -> int:
    printed = await output_of(python("bench.parts.table_filler", str(count)))
    grown, held = map(int, printed.split())
    _require(held, count)
    return grown


async def _sidecar(count: int, folder: Path) -> int:
    async with (
        sidecar(folder, "full") as server,
        Client(server.address, budget=BUDGET, lease=False) as client,
    ):
        await client.check("warm", HELD_LIMIT, 0)
        before = resident_bytes(server.pid)
        held = 0
        for batch in _batches(count):
            decisions = await asyncio.gather(*(client.check(key, HELD_LIMIT) for key in batch))
            held += sum(decision.allowed and decision.source == "owner" for decision in decisions)
        _require(held, count)
        return resident_bytes(server.pid) - before


async def _redis(count: int, folder: Path) -> int:
    async with redis_server(folder, "full") as server:
        reader, writer = await asyncio.open_unix_connection(str(server.socket))
        before = resident_bytes(server.pid)
        arguments = gcra_arguments(HELD_TOKENS, 1)
        allowed = f"*3\r\n:1\r\n:{arguments[0]}\r\n:0\r\n".encode()
        held = 0
        for batch in _batches(count):
            lines = [" ".join(["EVALSHA", server.script, "1", key, *arguments]) for key in batch]
            writer.write("\r\n".join([*lines, ""]).encode())
            held += (await reader.readexactly(len(allowed) * len(batch))).count(allowed)
        writer.close()
        _require(held, count)
        return resident_bytes(server.pid) - before


def _batches(count: int) -> Iterator[list[str]]:
    keys = key_names(count)
    while batch := list(islice(keys, _BATCH)):
        yield batch


def _require(held: int, count: int) -> None:
    if held != count:
        raise VoidError(f"{held:,} keys are held instead of {count:,}")


_STORES: Final[dict[str, tuple[Weigh, str]]] = {
    TABLE: (_table, "sidegate.buckets.buckets.Buckets in a fresh process, one limit for each key"),
    SIDECAR: (_sidecar, "sidegate serve, filled by a client over its unix socket"),
    REDIS: (_redis, "redis-server, filled by the same script with the same keys and limit"),
}
