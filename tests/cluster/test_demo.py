"""The demo as its user runs it: what it shows, how it ends, and that nothing outlives it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from io import StringIO
from itertools import product
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Final

import pytest
from rich.console import Console

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import Limit
from sidegate_sidecar.demo.play.allowance import DemoAllowance
from sidegate_sidecar.demo.play.cluster import DemoCluster
from sidegate_sidecar.demo.play.setting import KEYS, NAMES
from sidegate_sidecar.demo.play.story import Story, StoryEvent, times_of
from sidegate_sidecar.demo.play.tally import DemoTally, ReplyOutcome, Slot
from sidegate_sidecar.demo.show.table import frame
from tests.support.processes.services import until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

DEMO: Final = (sys.executable, "-m", "sidegate_sidecar", "demo")
PATIENCE: Final = 180.0  # seconds: for what takes ten on a machine with nothing else to do
PROCESSES: Final = 6


@pytest.fixture(scope="module")
def played() -> subprocess.CompletedProcess[str]:
    """Run the demo to its end."""
    command = (*DEMO, "--seconds", "8")
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_it_ends_by_itself_with_its_promises_kept(
    played: subprocess.CompletedProcess[str],
) -> None:
    """It exits with 0, and says for each promise that it was kept."""
    assert played.returncode == 0, played.stdout + played.stderr
    assert played.stderr == ""
    kept = re.findall(r"^  kept    (.*)$", played.stdout, re.MULTILINE)
    assert [promise.partition(":")[0].partition(" ")[0] for promise in kept] == [
        "5xx",
        "requests",
        "all",
        "the",
        "limiting",
    ]
    assert "BROKEN" not in played.stdout


def test_the_cluster_admits_no_more_than_its_limit(
    played: subprocess.CompletedProcess[str],
) -> None:
    """While all sidecars are up, three apps together let through what one limit allows."""
    found = re.search(r"all sidecars up: admitted (\S+) of at most (\S+)", played.stdout)
    assert found
    admitted, most = map(_number, found.groups())
    assert 0 < admitted <= most


def test_the_limit_holds_through_a_kill(played: subprocess.CompletedProcess[str]) -> None:
    """Over the whole run no more is admitted than one limit allows, but for what was on its way."""
    found = re.search(r"the whole time: admitted (\S+) of at most (\S+)", played.stdout)
    assert found
    admitted, most = map(_number, found.groups())
    assert 0 < admitted <= most
    sources = dict(re.findall(r"([a-z]+) ([\d,]+)(?:,|$)", _line_of("answers by", played.stdout)))
    assert _number(sources["backup"]) > 0


def test_requests_flow_while_a_sidecar_is_dead(played: subprocess.CompletedProcess[str]) -> None:
    """Those of its own app are let through by the policy, and shown as such."""
    assert "kill -9 sidecar b" in played.stdout
    assert "others decide these keys; app b is unlimited" in played.stdout
    row = re.search(r"^  one sidecar dead +\S+ +(.*)$", played.stdout, re.MULTILINE)
    assert row
    requests, _, unlimited, _, failed = map(_number, row[1].split())
    assert requests > unlimited > 0 == failed


def test_nothing_of_it_is_left(played: subprocess.CompletedProcess[str]) -> None:
    """All processes that it named are gone, the killed and the restarted sidecar included."""
    pids = _pids(played.stdout)
    assert len(pids) == PROCESSES + 1
    assert not any(map(_is_alive, pids))


def test_its_processes_end_when_it_is_killed() -> None:
    """Also when nobody is left to end them."""
    with _playing() as (demo, pids):
        assert all(map(_is_alive, pids))
        demo.kill()
        until(lambda: not any(map(_is_alive, pids)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order_when_it_is_told_to(number: signal.Signals) -> None:
    """It sums up what was until then, without a traceback."""
    with _playing() as (demo, pids):
        demo.send_signal(number)
        output, complaint = demo.communicate(timeout=PATIENCE)
        assert (demo.returncode, complaint) == (0, "")
        assert "kept    5xx: 0" in output
        assert not any(map(_is_alive, pids))


def test_it_says_what_did_not_start(tmp_path: Path) -> None:
    """With the last words of that process, and nothing keeps running."""
    (tmp_path / "uvicorn.py").write_text("raise SystemExit('no uvicorn today')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    demo = subprocess.run(
        DEMO, capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment
    )
    assert demo.returncode == 1
    assert "ended with exit code 1" in demo.stderr
    assert "no uvicorn today" in demo.stderr
    assert "Traceback" not in demo.stderr
    assert not any(map(_is_alive, _pids(demo.stderr)))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (100, 60)])
def test_a_frame_fits_the_terminal(width: int, height: int) -> None:
    """Nothing of it is wrapped or cut, after a year as well."""
    tally = DemoTally(Limit(5, 1), KEYS, time.monotonic() - 4e7)
    for name, outcome, source in product(
        NAMES, (ReplyOutcome.ALLOWED, ReplyOutcome.DENIED), Source
    ):
        tally.counts[name, outcome, source] = 987_654_321 // 12
    tally.slots.extend([Slot(limited=15, unlimited=30)] * 500)
    story = Story(DemoCluster(), tally, times_of(None), lambda _: None)
    story.events.extend([StoryEvent(4e7, "something that happened")] * 100)
    shown = StringIO()
    Console(file=shown, width=width, height=height).print(frame(story, width, height))
    lines = shown.getvalue().splitlines()
    assert len(lines) == height
    assert max(map(len, lines)) <= width
    assert "…" not in shown.getvalue()


@pytest.mark.parametrize(
    ("now", "most"),
    [
        (99.0, 0),  # nothing was sent yet
        (100.0, 7),  # the burst
        (100.9, 8),  # two tokens a second
        (102.0, 11),
        (103.0, 13 + 3),  # the owner was killed at 103
        (109.9, 26 + 3),
        (110.0, 27 + 6),  # and the next at 110
        (111.0, 29 + 6),
    ],
)
def test_an_allowance_is_burst_plus_rate_and_a_little_a_kill(now: float, most: int) -> None:
    """Whoever owns a key when, its allowance goes on; only the latest charges may be lost."""
    allowance = DemoAllowance(Limit(2, 1, 7), 3)
    events: list[tuple[float, Callable[[float], None]]] = [
        (100.0, allowance.decided),
        (100.5, allowance.decided),
        (103.0, lambda _: allowance.owner_killed()),
        (102.9, allowance.decided),  # the dead one's last answer, read late
        (110.0, lambda _: allowance.owner_killed()),
    ]
    for at, event in events:
        if at <= now:
            event(at)
    assert allowance.most(now) == most


@contextmanager
def _playing() -> Generator[tuple[subprocess.Popen[str], list[int]]]:
    """Run the demo without an end, up to its first requests; with the pids of its processes."""
    pipe = subprocess.PIPE
    with subprocess.Popen(DEMO, stdout=pipe, stderr=pipe, text=True) as demo:
        watchdog = Timer(PATIENCE, demo.kill)
        watchdog.start()
        try:
            pids: list[int] = []
            assert demo.stdout
            while len(pids) < PROCESSES:
                line = demo.stdout.readline()
                assert line, f"it ended, or took over {PATIENCE:g} s"
                pids += _pids(line)
            yield demo, pids
        finally:
            watchdog.cancel()
            demo.kill()


def _line_of(start: str, text: str) -> str:
    """Return the first line that begins so, but for blanks."""
    lines = map(str.strip, text.splitlines())
    return next(line for line in lines if line.startswith(start))


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _pids(text: str) -> list[int]:
    """Return the process ids in a text, each once."""
    return sorted({int(pid) for pid in re.findall(r"\(pid (\d+)\)", text)})


def _is_alive(pid: int) -> bool:
    """Is there a process of the demo with this id? One that nobody waited for has ended too."""
    try:
        os.kill(pid, 0)
        command = Path(f"/proc/{pid}/cmdline")
        return not command.parent.parent.exists() or b"sidegate_sidecar" in command.read_bytes()
    except (ProcessLookupError, FileNotFoundError):
        return False
