"""The file of crashes, and which of them concern a run."""

from math import inf
from pathlib import Path

import pytest

from sidegate_sidecar.loadtest.judge.crashes import (
    Crash,
    CrashesError,
    CrashEvent,
    crashes,
    read_events,
)


def kill(time: float, node: str = "n1") -> CrashEvent:
    return CrashEvent(time, node, "kill")


def start(time: float, node: str = "n1") -> CrashEvent:
    return CrashEvent(time, node, "start")


def ready(time: float, node: str = "n1") -> CrashEvent:
    return CrashEvent(time, node, "ready")


def test_a_file_that_is_not_there_means_no_crashes(tmp_path: Path) -> None:
    """Whoever kills may not run at all."""
    assert read_events(str(tmp_path / "kills.jsonl")) == []


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    """What stands before it counts; what else is in a line doesn't matter."""
    path = tmp_path / "kills.jsonl"
    path.write_text('{"time": 5.5, "node": "n1", "event": "kill", "pid": 7}\n\n{"time": 6')
    assert read_events(str(path)) == [kill(5.5)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nonsense", "line 2 'nonsense'"),
        ('{"time": 1, "node": "n1"}', "missing required field `event`"),
        ('{"time": 1, "node": "n1", "event": "stop"}', "'stop'"),
        ('{"time": "now", "node": "n1", "event": "kill"}', "Expected `float`"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    """By its number and what it holds."""
    path = tmp_path / "kills.jsonl"
    path.write_text(f'{{"time": 5.5, "node": "n1", "event": "kill"}}\n{line}\n')
    with pytest.raises(CrashesError) as caught:
        read_events(str(path))
    assert words in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """It says so, and isn't taken for no crashes."""
    with pytest.raises(CrashesError, match="expected a file"):
        read_events(str(tmp_path))


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([kill(103), start(104)], [Crash("n1", 3, 4)]),
        ([kill(103)], [Crash("n1", 3)]),  # until the end
        ([kill(103), start(104), ready(105)], [Crash("n1", 3, 4, 5)]),
        ([kill(103), ready(105)], [Crash("n1", 3, 5, 5)]),  # whoever started it didn't say so
        ([kill(103), start(104), ready(105), start(109), ready(110)], [Crash("n1", 3, 4, 5)]),
        (
            [kill(103), start(104), kill(105, "n2"), ready(106)],
            [Crash("n1", 3, 4, 6), Crash("n2", 5)],
        ),
        ([kill(103), start(104), kill(105), start(106)], [Crash("n1", 3, 4), Crash("n1", 5, 6)]),
        ([kill(103), kill(104, "n2"), start(105)], [Crash("n1", 3, 5), Crash("n2", 4)]),
        ([kill(98), start(99)], [Crash("n1", -2, -1)]),  # its app may still be let through
        ([kill(80), start(81)], []),  # over
        ([kill(80)], []),  # an old story, whoever forgot to write down its end
        ([kill(150), start(151)], []),  # after the run
        ([start(103), ready(104)], []),
        ([kill(97), start(97.5), ready(98)], []),  # over a second ago
    ],
)
def test_those_that_may_show_in_a_run_are_found(
    events: list[CrashEvent], found: list[Crash]
) -> None:
    """In seconds from its start: the run goes from 100 to 130."""
    assert crashes(events, 100, 30) == found


def test_a_crash_shows_from_just_before_to_a_second_after_the_node_is_ready() -> None:
    """A moment in which clocks may differ, and one in which apps find a sidecar again."""
    assert Crash("n1", 10, 12, 13).first == 9.75
    assert Crash("n1", 10, 12, 13).last == 14.25
    assert Crash("n1", 10, 12).last == 17.25  # nobody said when it was ready
    assert Crash("n1", 10).last == inf
