"""A fleet grows in waves until it is complete or no more fits, and its figures come to a table."""

from io import StringIO

import pytest
from bench.__main__ import BY_NAME, PARTS, _plan  # pyright: ignore[reportPrivateUsage]  # which plan a command line means
from bench.lab.sidecars import Sidecar
from bench.lab.usage import available_memory
from bench.report import print_report
from bench.results import Results
from bench.sizing import cold_starts, fleets
from bench.sizing.fleets import FLOOR, LEAF_BYTES, OWNERS, WAVE, End, is_joined, next_wave, spread
from bench.targets import targets
from rich.console import Console

ROOM = FLOOR + WAVE * LEAF_BYTES


@pytest.mark.parametrize(
    ("missing", "available", "seconds", "wanted"),
    [
        (490, ROOM, 1.0, WAVE),
        (7, ROOM, 1.0, 7),
        (0, ROOM, 1.0, End.COMPLETE),
        (0, 0, 0.0, End.COMPLETE),
        (490, ROOM - 1, 1.0, End.MEMORY),
        (7, FLOOR + 7 * LEAF_BYTES, 1.0, 7),
        (490, ROOM, 0.0, End.TIME),
    ],
)
def test_the_next_wave_is_what_is_missing_as_far_as_memory_and_time_go(
    missing: int, available: int, seconds: float, wanted: int | End
) -> None:
    assert next_wave(missing, available, seconds) == wanted


JOINED = {
    "sidegate_ring_nodes": OWNERS,
    'sidegate_members{state="alive"}': 39,
    'sidegate_links{state="up"}': 39,
}


def test_a_node_has_joined_that_holds_the_ring_and_has_all_others() -> None:
    assert is_joined(JOINED, 39)


@pytest.mark.parametrize("name", JOINED)
def test_each_of_them_alone_is_missed(name: str) -> None:
    assert not is_joined({**JOINED, name: JOINED[name] - 1}, 39)


@pytest.mark.parametrize("size", [0, 1, 20, 30, 490])
def test_leaves_to_ask_are_spread_over_all(size: int) -> None:
    picked = [int(node.name) for node in spread([named(number) for number in range(size)], 20)]
    assert len(picked) == len(set(picked)) == min(size, 20)
    assert max(picked, default=0) >= size - max(1, size // 20) - 1


def named(number: int) -> Sidecar:
    return Sidecar(str(number), "", "", "", None)  # type: ignore[arg-type]  # it never runs


def test_this_machine_says_what_memory_it_has() -> None:
    assert available_memory() > 1 << 20


def test_only_who_names_it_measures_a_fleet() -> None:
    assert set(_plan([]).parts) == PARTS.keys() - BY_NAME
    assert _plan(["--only", "fleet"]).parts == ("fleet",)
    assert fleets.PART in BY_NAME


def rows(text: str) -> dict[str, list[str]]:
    """Return the cells of all rows, by their first."""
    lines = [line.split("│")[1:-1] for line in text.splitlines() if line.startswith("│")]
    return {name.strip(): [it.strip() for it in cells] for name, *cells in lines}


def test_its_figures_come_to_a_table_and_to_targets() -> None:
    results = Results({}, 0.0)
    figures = {"wanted": 500.0, "processes": 310.0, "asked": 1_000.0, "decided": 999.0}
    results.add(
        fleets.PART,
        fleets.ALL,
        fleets.SETTING,
        0,
        **figures,
        seconds=61.0,
        proportional=2.5 * (1 << 30),
    )
    used = {"cpu_ms": 4.2, "writes": 2.0, "proportional": 2.0 * (1 << 20)}
    results.add(fleets.PART, fleets.A_LEAF, fleets.SETTING, 0, **used)
    written = Console(record=True, width=200, file=StringIO())
    print_report(results, written, 1)
    text = written.export_text()
    assert rows(text)["all"] == ["310", "500", "61", "1,000", "999", "2.5"]
    assert rows(text)["a leaf"] == ["4.2", "2.0", "-", "-", "2.0"]
    measured = {it.text: (it.measured, it.met) for it in targets(results)}
    assert measured["processes of one fleet"] == (310.0, False)
    assert measured["share of checks through its leaves that owners decided"] == (0.999, False)


def test_a_cold_start_comes_to_a_table_and_to_a_target() -> None:
    results = Results({}, 0.0)
    seconds = {"seconds": 61.0, "cpu": 0.912, "most": 1.25, "alone": 0.217, "rest": 0.004}
    for owners in ("50", "200"):
        results.add(cold_starts.PART, cold_starts.AN_OWNER, owners, 0, **seconds)
    written = Console(record=True, width=200, file=StringIO())
    print_report(results, written, 1)
    table = rows(written.export_text())
    assert table["50"] == table["200"] == ["61.000", "0.912", "1.250", "0.217", "0.004"]
    met = {it.text: it.met for it in targets(results)}
    assert met["s of CPU of an owner in a cold start of 200"]
    assert cold_starts.PART in BY_NAME
