"""Run the benchmarks and print the table: `python -m bench [--only PARTS] [--quick]`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvloop
from rich.console import Console

from bench.cluster import part as cluster
from bench.fronts import forward_auth, http_checks, rls
from bench.limits import leases, quotas
from bench.machine import busy_share, describe_machine
from bench.parts import (
    decisions,
    fastapi_app,
    front,
    memory,
    reports,
    resp,
    ring,
    threads,
    tracing,
    values,
)
from bench.peers.parts import clusters, peer_decisions, peer_memory, peer_web
from bench.plan import Plan, full_plan, quick_plan
from bench.quiet import Quiet
from bench.report import print_report
from bench.results import Results, UnavailableError, VoidError
from bench.sizing import cold_starts, fleets
from bench.sizing import part as sizing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.status import Status

PARTS: Final = {
    part.PART: part.measure
    for part in (
        decisions,
        quotas,
        leases,
        reports,
        threads,
        tracing,
        values,
        resp,
        fastapi_app,
        front,
        forward_auth,
        http_checks,
        rls,
        memory,
        ring,
        cluster,
        sizing,
        fleets,
        cold_starts,
        peer_decisions,
        peer_web,
        peer_memory,
        clusters,
    )
}
BY_NAME: Final = {fleets.PART, cold_starts.PART}  # most of a machine's memory, and minutes
WIDTH: Final = 110  # of the tables, also where the output is no terminal
RESULTS: Final = Path(__file__).with_name("results")


def main() -> int:
    """Return the exit status: 0 unless figures had to be thrown away, 130 when interrupted."""
    plan = _plan(sys.argv[1:])
    for name in [name for name in os.environ if name.startswith("SIDEGATE_")]:
        del os.environ[name]  # our sidecars are nobody else's
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # they start as installed ones do
    logging.getLogger("sidegate").setLevel(logging.ERROR)  # that sidecars end is what we want
    console = Console(record=True, width=WIDTH)
    quiet = Quiet()
    quiet.look()
    results = Results(describe_machine(), busy_share())
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_measure(plan, results, console, quiet))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    results.quiet = quiet.figures()
    place = _save(results)
    print_report(results, console, plan.rounds)
    console.save_text(str(place.with_suffix(".txt")))
    print(f"\nraw figures: {place}")
    return 1 if results.void else 0


async def _measure(plan: Plan, results: Results, console: Console, quiet: Quiet) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with tempfile.TemporaryDirectory(prefix="sidegate-bench-") as folder:
        for part in plan.parts:
            with console.status(part) as status:
                await _measure_part(part, plan, results, Path(folder), status)
            quiet.look()


async def _measure_part(
    part: str, plan: Plan, results: Results, folder: Path, status: Status
) -> None:
    def tell(step: str) -> None:
        status.update(f"{part}, {step}")

    try:
        await PARTS[part](plan, results, folder, tell)
    except UnavailableError as reason:
        results.skipped[part] = str(reason)
    except VoidError as reason:
        results.void[part] = str(reason)
    results.busy = max(results.busy, busy_share())


def _save(results: Results) -> Path:
    """Keep all figures before any is printed; return the file."""
    RESULTS.mkdir(exist_ok=True)
    place = RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    results.save(place)
    return place


def _plan(arguments: Sequence[str]) -> Plan:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only", metavar="PARTS", help=f"some of {','.join(PARTS)}; all but {','.join(BY_NAME)}"
    )
    parser.add_argument("--rounds", type=int, help="rounds to take the median of (3)")
    parser.add_argument("--quick", action="store_true", help="one short round, roughly right")
    options = parser.parse_args(arguments)
    parts = tuple(options.only.split(",")) if options.only else _usual_parts()
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--only: no part is called {', '.join(sorted(unknown))}")
    make = quick_plan if options.quick else full_plan
    return make(parts, options.rounds)


def _usual_parts() -> tuple[str, ...]:
    return tuple(name for name in PARTS if name not in BY_NAME)


if __name__ == "__main__":
    sys.exit(main())
