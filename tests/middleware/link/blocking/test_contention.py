"""Whether tasks wait for the CPU, as /proc/loadavg has it."""

from pathlib import Path

import pytest

from sidegate.link.blocking.contention import is_contended


@pytest.mark.parametrize(
    ("text", "contended"),
    [
        ("0.20 0.18 0.12 2/345 11206\n", False),
        ("0.20 0.18 0.12 3/345 11206\n", True),
        ("9.00 9.00 9.00 1/345 11206\n", False),  # it was, a moment ago
        ("0.00 0.00 0.00 x/0 0\n", False),
        ("", False),
    ],
)
def test_more_runnable_tasks_than_cores_wait(tmp_path: Path, text: str, contended: bool) -> None:
    load = tmp_path / "loadavg"
    load.write_text(text)
    assert is_contended(load, cores=2) is contended


def test_where_nobody_counts_them_none_waits(tmp_path: Path) -> None:
    assert not is_contended(tmp_path / "none", cores=0)
