"""The tables of a run: medians, ratios, targets, and what each contender ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from bench.cluster import backup
from bench.cluster.cluster_tables import cluster_tables
from bench.contenders.echo import ECHO
from bench.contenders.sidegate_client import ONE_HOP
from bench.fronts import forward_auth, http_checks, rls
from bench.limits import leases, quotas
from bench.parts import (
    decisions,
    fastapi_app,
    memory,
    reports,
    resp,
    ring,
    threads,
    tracing,
    values,
)
from bench.parts.front_tables import front_tables
from bench.peers.parts.peer_tables import peer_tables
from bench.quiet import verdict
from bench.sizing.sizing_tables import sizing_tables
from bench.tables import cell, new_table, over, percent, written
from bench.targets import targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.table import Table

    from bench.results import Results

_DRIVER = (
    "Closed loops: N coroutines of one process on uvloop each await one check after the other. "
    "Driver and servers share the cores of this machine. One check of 16 is timed. "
    "All take the same limit, out of reach, and 10,000 random keys, each charged once before the "
    "clock runs, so that every check updates a bucket that is there. Timed checks in Python are "
    "verified to be allowed, ours by the owner; redis-benchmark ends at the first error "
    "of a script. The targets compare with each Redis peer at its best number in flight, and "
    "the budget of our checks is 1 s, so that stalls show as latency."
)

_BUSY = 0.1  # of all cores
_WARNING = (
    "\nOther work kept this machine busy during the run: don't trust its figures. Cores taken: "
)


def print_report(results: Results, console: Console, rounds: int) -> None:
    """Print the tables of all parts that have figures, then targets, notes and skips."""
    for table in _tables(results, rounds):
        console.print(table)
        console.print()
    console.print(_targets(results))
    console.print(Text.assemble("\n", ("How: ", "bold"), _DRIVER))
    _print_pairs(console, "What each ran", results.notes)
    if results.busy > _BUSY:
        console.print(Text(f"{_WARNING}{results.busy:.0%}", style="bold red"))
    _print_pairs(console, "Skipped", results.skipped)
    _print_pairs(console, "Thrown away", results.void)
    if results.quiet:
        console.print(Text(f"\nThe machine was {verdict(results.quiet)}", style="bold"))
    _print_pairs(console, "Machine", results.machine)


def _tables(results: Results, rounds: int) -> Iterator[Table]:
    titled = f"medians of {rounds} rounds" if rounds > 1 else "one round"
    part = decisions.PART
    if results.contenders(part):
        title = f"Decisions/s by checks in flight, {titled} (x: {ONE_HOP} is so many times faster)"
        yield _by_setting(results, part, "rate", title, ONE_HOP)
        for share in ("p50", "p99"):
            title = f"{share} latency in µs by checks in flight (x: so many times that of the echo)"
            yield _by_setting(results, part, share, title, ECHO)
    yield from _with_other_work(results, titled)
    if results.contenders(threads.PART):
        title = f"Decisions/s by threads that ask, {titled} (x: {threads.OURS} is so much faster)"
        yield _by_setting(results, threads.PART, "rate", title, threads.OURS)
    yield from _over_resp(results, titled)
    if results.contenders(fastapi_app.PART):
        yield _web(results)
    yield from front_tables(results)
    yield from _over_http(results)
    if results.contenders(rls.PART):
        title = f"Calls/s of Envoy's rate limit service by calls in flight, {titled}"
        yield _by_setting(results, rls.PART, "rate", title, rls.ECHO)
        title = "p50 latency in µs by calls in flight (x: so many times that of the echo)"
        yield _by_setting(results, rls.PART, "p50", title, rls.ECHO)
    if results.contenders(memory.PART):
        yield _memory(results)
    if results.contenders(ring.PART):
        title = f"Ring lookups/s by nodes (x: {ring.OURS} is so many times faster)"
        yield _by_setting(results, ring.PART, "rate", title, ring.OURS)
    if results.contenders(backup.PART):
        title = (
            f"Decisions/s of an owner by checks in flight, {titled} "
            f"(x: {backup.ALONE} is so many times faster)"
        )
        yield _by_setting(results, backup.PART, "rate", title, backup.ALONE)
    yield from cluster_tables(results, titled)
    yield from sizing_tables(results, titled)
    yield from peer_tables(results, titled)


def _over_http(results: Results) -> Iterator[Table]:
    """Give the tables of what is asked over HTTP, beside a bare app."""
    for front, what in ((forward_auth, "that a proxy asks about"), (http_checks, "of checks")):
        if results.contenders(front.PART):
            title = f"Requests/s {what}, medians (x: {front.BARE})"
            yield _by_setting(results, front.PART, "rate", title, front.BARE)


def _with_other_work(results: Results, titled: str) -> Iterator[Table]:
    """Give the tables of checks beside what else a sidecar does."""
    if results.contenders(quotas.PART):
        title = f"Decisions/s of quotas, {titled} (x: {quotas.BUCKET})"
        yield _by_setting(results, quotas.PART, "rate", title, quotas.BUCKET)
    if results.contenders(leases.PART):
        yield _leases(results, titled)
    if results.contenders(reports.PART):
        title = f"Decisions/s and p99 in µs with reports, {titled} (x: {reports.WITHOUT}, its own)"
        for value in ("rate", "p99"):
            yield _by_setting(results, reports.PART, value, title, reports.WITHOUT)
    if results.contenders(tracing.PART):
        title = f"Decisions/s with tracing, {titled} (x: {tracing.OFF} is so many times faster)"
        yield _by_setting(results, tracing.PART, "rate", title, tracing.OFF)
    if results.contenders(values.PART):
        title = "p99 latency in µs by checks in flight (x: so many times that of an idle cache)"
        yield _by_setting(results, values.PART, "p99", title, values.IDLE)


def _leases(results: Results, titled: str) -> Table:
    columns = ("admitted of B + rT", "by leases", "checks/s", "times the rate", "p50 µs", "p99 µs")
    table = new_table(f"One key of {leases.LIMIT} under overload, {titled}", *columns)

    def figure(value: str) -> float | None:
        return results.median(leases.PART, leases.OURS, "3", value)

    share = figure("admitted")
    table.add_row(
        leases.OURS,
        "-" if share is None else f"{share:.3%}",
        percent(figure("leased")),
        *(written(figure(value)) for value in ("rate", "overload")),
        *(written(figure(value), 1) for value in ("p50", "p99")),
    )
    return table


def _over_resp(results: Results, titled: str) -> Iterator[Table]:
    """Give the tables of redis-py at a sidecar and at Redis."""
    for part, what in ((resp.PART, "commands"), (resp.PIPELINES, "pipelines of 1,000")):
        if results.contenders(part):
            title = f"Decisions/s of redis-py by {what} in flight, {titled} (x: {resp.OURS})"
            yield _by_setting(results, part, "rate", title, resp.OURS)


def _by_setting(results: Results, part: str, value: str, title: str, base: str) -> Table:
    """Return a row for each contender; the ratio says how far off `base` is to its advantage."""
    table = new_table(title, *results.settings(part))
    for contender in results.contenders(part):
        cells: list[str] = []
        for setting in results.settings(part):
            figure = results.median(part, contender, setting, value)
            other = results.median(part, base, setting, value)
            cells.append(
                cell(figure, over(other, figure) if value == "rate" else over(figure, other))
            )
        table.add_row(contender, *cells)
    return table


def _web(results: Results) -> Table:
    part, setting = fastapi_app.PART, fastapi_app.SETTING
    bare = results.median(part, fastapi_app.BARE, setting, "rate")
    columns = ("requests/s", "of bare", "p50 µs", "p99 µs", "not 2xx")
    table = new_table(f"FastAPI under {setting}", *columns)
    for contender in results.contenders(part):
        rate, p50, p99, refused = (
            results.median(part, contender, setting, value)
            for value in ("rate", "p50", "p99", "refused")
        )
        kept, not_2xx = percent(over(rate, bare)), percent(refused)
        table.add_row(contender, written(rate), kept, written(p50), written(p99), not_2xx)
    return table


def _memory(results: Results) -> Table:
    (setting,) = results.settings(memory.PART)
    table = new_table(f"RSS bytes per key at {setting}", "bytes", "Redis / this")
    redis = results.median(memory.PART, memory.REDIS, setting, "bytes_per_key")
    for contender in results.contenders(memory.PART):
        held = results.median(memory.PART, contender, setting, "bytes_per_key")
        ratio = over(redis, held)
        table.add_row(contender, written(held), "" if ratio is None else f"{ratio:.2f}x")
    return table


def _targets(results: Results) -> Table:
    table = new_table("Targets", "wanted", "measured", "met")
    marks = {True: "[green]yes[/]", False: "[red]NO[/]", None: "not measured"}
    for target in targets(results):
        sign = "≥" if target.at_least else "≤"
        measured = "-" if target.measured is None else f"{target.measured:.2f}"
        table.add_row(target.text, f"{sign} {target.wanted:g}", measured, marks[target.met])
    return table


def _print_pairs(console: Console, title: str, pairs: dict[str, str]) -> None:
    if pairs:
        console.print(Text(f"\n{title}", style="bold"))
    for name, text in pairs.items():
        console.print(Text(f"  {name}: {text}"))
