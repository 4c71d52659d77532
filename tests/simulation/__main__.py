"""Run the simulations with many seeds: `python -m tests.simulation [--seeds N] [--only NAMES]`."""

import argparse
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from rich.console import Console
from rich.progress import track
from rich.table import Table

from sidegate_ring.membership.membership import Timing
from sidegate_ring.membership.parameters import least_suspicion
from tests.simulation.scenarios import membership, small
from tests.simulation.scenarios.fleets.large import Size, large
from tests.simulation.scenarios.membership import percentile
from tests.simulation.workers import MAX_BYTES, Workers

Run: TypeAlias = tuple[str, int]

SMALL = {it.__name__: it for it in small.SMALL}
LOSSES = 40  # seeds for false deaths under loss


def main() -> int:
    """Return the exit status: 0 if every seed held what is promised."""
    options = _options(sys.argv[1:])
    logging.disable(logging.CRITICAL)
    console = Console(highlight=False)
    began = time.monotonic()
    with Workers() as workers:
        names = [name for name in options.only.split(",") if name] or list(SMALL)
        first = options.first
        faults = _run(workers, names, range(first, first + options.seeds), console)
        if not options.only:
            faults += _run(workers, list(LARGE), range(first, first + options.large), console)
            _figures(workers, options, console)
        faults += _too_much(workers.peak)
    for fault in faults:
        console.print(f"FAILED  {fault}", markup=False, soft_wrap=True)
    verdict = f"{len(faults)} failed" if faults else "all held"
    took = time.monotonic() - began
    console.print(f"{verdict}, {took:.0f} s, {workers.peak / 1e9:.1f} GB at the most")
    return 1 if faults else 0


def _too_much(peak: int) -> list[str]:
    if peak <= MAX_BYTES:
        return []
    return [f"memory: {peak / 1e9:.1f} GB, expected at most {MAX_BYTES / 1e9:.0f} GB"]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="on small clusters (10,000)")
    parser.add_argument("--large", type=int, default=200, help="of those on 100 nodes (200)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--only", metavar="NAMES", default="", help=f"some of {','.join(SMALL)}")
    options = parser.parse_args(arguments)
    unknown = {name for name in options.only.split(",") if name} - SMALL.keys()
    if unknown:
        parser.error(f"--only: no scenario is called {', '.join(sorted(unknown))}")
    return options


def attempt(run: Run) -> str:
    """Run one scenario with one seed; return what was wrong, "" if nothing was."""
    name, seed = run
    scenario: Callable[[int], object] = SMALL.get(name) or LARGE[name]
    try:
        scenario(seed)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is to be told with its seed
        return f"{name}, seed {seed}: {type(error).__name__}: {error}"
    return ""


LARGE: dict[str, Callable[[int], object]] = {
    "storm of 100": partial(membership.storm_ends, n=100, seconds=10.0),
    "crash of 100": partial(large, count=100),
}


def _run(workers: Workers, names: list[str], seeds: range, console: Console) -> list[str]:
    """Run scenarios in turn, one with each seed; return what was wrong."""
    runs = [(names[seed % len(names)], seed) for seed in seeds]
    results = workers.map(attempt, runs, chunk=4)
    found = list(track(results, "seeds", total=len(runs), console=console, transient=True))
    ran = Counter(name for name, _ in runs)
    failed = Counter(name for (name, _), fault in zip(runs, found, strict=True) if fault)
    table = Table("scenario", "seeds", "failed", box=None, pad_edge=False)
    for name, count in ran.items():
        table.add_row(name, f"{count:,}", str(failed[name]))
    console.print(table)
    return [fault for fault in found if fault]


def _figures(workers: Workers, options: argparse.Namespace, console: Console) -> None:
    """Print what a cluster of some size costs, and how soon it notices."""
    table = Table(
        "nodes", "messages a node a second", "crash off the ring: p50", "p99", "least suspicion",
        box=None, pad_edge=False,
    )  # fmt: skip
    sizes = [10] * 20 + [100] * 5 + [500]
    seeds = range(options.first, options.first + len(sizes))
    found: dict[int, list[Size]] = {}
    for size in workers.map(large, seeds, sizes):
        found.setdefault(size.nodes, []).append(size)
    for count, measured in found.items():
        noticed = [seconds for it in measured for seconds in it.noticed]
        table.add_row(
            str(count),
            f"{max(it.messages for it in measured):.2f}",
            f"{percentile(noticed, 0.5):.2f} s",
            f"{percentile(noticed, 0.99):.2f} s",
            f"{least_suspicion(Timing(), count):.2f} s",
        )
    console.print(table)
    _print_false_deaths(workers, options.first, console)


def _print_false_deaths(workers: Workers, first: int, console: Console) -> None:
    deaths = partial(membership.false_deaths, n=10, loss=0.05, seconds=60.0)
    counts = list(workers.map(deaths, range(first, first + LOSSES)))
    hours = LOSSES * 10 / 60
    console.print(f"false deaths under 5 % loss, 10 nodes: {sum(counts)} in {hours:.1f} node-hours")


def _with_fixed_hashes() -> None:
    """Begin anew with the same order of sets in each run: a seed that fails is to fail again."""
    if os.environ.get("PYTHONHASHSEED", "random") == "random":
        arguments = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, "PYTHONHASHSEED": "0"})


if __name__ == "__main__":
    _with_fixed_hashes()
    sys.exit(main())
