"""The tables of the part about sizing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.lab.usage import MIB
from bench.sizing import checks, cold_starts, commands, fleets, members, memory
from bench.tables import new_table, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from bench.results import Results


def sizing_tables(results: Results, titled: str) -> Iterator[Table]:
    """Give the tables of what was measured; `titled` says of how many rounds."""
    if results.contenders(memory.PART):
        yield _memory(results, titled)
    if results.contenders(checks.PART):
        yield _checks(results, titled)
    if results.contenders(members.PART):
        yield _members(results, titled)
    if results.contenders(commands.PART):
        yield _commands(results, titled)
    if results.contenders(commands.PROBES):
        yield _probes(results, titled)
    if results.contenders(fleets.PART):
        yield _fleet(results)
        yield _members_of_fleet(results)
    if results.contenders(cold_starts.PART):
        yield _cold_start(results)


def _memory(results: Results, titled: str) -> Table:
    columns = ("keys", "of them its own", "RSS MiB", "PSS MiB", "peak MiB", "bytes/key")
    table = new_table(f"Memory of a sidecar by the keys it holds, {titled}", *columns)
    part = memory.PART
    for name in results.contenders(part):
        for keys in results.settings(part):
            if (owned := results.median(part, name, keys, "owned")) is None:
                continue
            amounts = [
                _mib(results.median(part, name, keys, value))
                for value in ("resident", "proportional", "peak")
            ]
            per_key = results.median(part, name, keys, "per_key")
            table.add_row(name, keys, written(owned), *amounts, written(per_key or None))
    return table


def _checks(results: Results, titled: str) -> Table:
    part = checks.PART
    title = (
        f"µs of CPU a check costs a sidecar, by checks in flight, {titled} (checks/s that one core "
        "pays for)"
    )
    table = new_table(title, *results.settings(part))
    for role in results.contenders(part):
        costs = (results.median(part, role, at, "micros") for at in results.settings(part))
        table.add_row(role, *map(_cost, costs))
    return table


def _members(results: Results, titled: str) -> Table:
    columns = ("CPU ms/s", "messages/s", "bytes/s written", "connections", "RSS MiB")
    table = new_table(f"A member of a cluster that nobody asks, {titled}", *columns)
    for name in results.contenders(members.PART):
        cpu, writes, size, connections, resident = (
            results.median(members.PART, name, members.SETTING, value)
            for value in ("cpu_ms", "writes", "size", "connections", "resident")
        )
        figures = [written(cpu, 1), written(writes, 1), written(size), written(connections)]
        table.add_row(name, *figures, _mib(resident))
    return table


def _commands(results: Results, titled: str) -> Table:
    part, setting = commands.PART, commands.SETTING
    table = new_table(f"Processes of their own, {titled}", "CPU ms", "ms", "peak MiB")
    for name in results.contenders(part):
        cpu, wall, peak = (
            results.median(part, name, setting, value) for value in ("cpu_ms", "wall_ms", "peak")
        )
        table.add_row(name, written(cpu), written(wall), _mib(peak))
    return table


def _probes(results: Results, titled: str) -> Table:
    part, setting = commands.PROBES, commands.SETTING
    table = new_table(f"Requests to a sidecar, {titled}", "its CPU ms", "ms", "RSS MiB")
    for name in results.contenders(part):
        cpu, wall, resident = (
            results.median(part, name, setting, value)
            for value in ("cpu_ms", "wall_ms", "resident")
        )
        table.add_row(name, written(cpu, 2), written(wall, 2), _mib(resident))
    return table


def _fleet(results: Results) -> Table:
    part, setting = fleets.PART, fleets.SETTING
    values = ("processes", "wanted", "seconds", "asked", "decided")
    columns = ("processes", "wanted", "s to grow", "checks", "decided by owners", "PSS GiB")
    table = new_table("A fleet of real processes, grown once", *columns)
    figures = (results.median(part, fleets.ALL, setting, value) for value in values)
    proportional = results.median(part, fleets.ALL, setting, "proportional")
    size = None if proportional is None else proportional / 1024 / MIB
    table.add_row(fleets.ALL, *map(written, figures), written(size, 1))
    return table


def _cold_start(results: Results) -> Table:
    part = cold_starts.PART
    columns = (
        "s until whole",
        "s of CPU each",
        "most",
        "of one alone",
        "each, s at rest",
    )
    table = new_table("Real owners that start at the same time", *columns)
    for owners in results.settings(part):
        times = (
            results.median(part, cold_starts.AN_OWNER, owners, value)
            for value in ("seconds", "cpu", "most", "alone", "rest")
        )
        table.add_row(owners, *(written(it, 3) for it in times))
    return table


def _members_of_fleet(results: Results) -> Table:
    part, setting = fleets.PART, fleets.SETTING
    columns = ("CPU ms/s", "messages/s", "bytes/s written", "RSS MiB", "PSS MiB")
    table = new_table("A member of that fleet, which nobody asks", *columns)
    for name in (fleets.AN_OWNER, fleets.A_LEAF):
        cpu, writes, size, *memory_sizes = (
            results.median(part, name, setting, value)
            for value in ("cpu_ms", "writes", "size", "resident", "proportional")
        )
        figures = [written(cpu, 1), written(writes, 1), written(size)]
        table.add_row(name, *figures, *map(_mib, memory_sizes))
    return table


def _cost(micros: float | None) -> str:
    return "-" if micros is None else f"{micros:.1f} ({1e6 / micros:,.0f}/s)"


def _mib(size: float | None) -> str:
    return written(None if size is None else size / MIB, 1)
