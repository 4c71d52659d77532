"""The demo as its user runs it: what it shows, how it ends, and that nothing outlives it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Final

import pytest

from tests.support.processes.services import until

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
    kept = re.findall(r"^  kept  (.*?)  ", played.stdout, re.MULTILINE)
    assert kept == [
        "the generator sends all that is planned",
        "each request is answered",
        "nodes decide",
        "requests: admits no more than the limit",
        "requests: admits what the limit allows",
        "limiting is back with a sidecar",
    ]
    assert "PASSED: 6 promises kept" in played.stdout


def test_the_limit_holds_through_a_kill(played: subprocess.CompletedProcess[str]) -> None:
    """Three apps together let through what one limit allows, but for what was on its way."""
    found = re.search(r"admits no more than the limit +at most (\S+).* (\S+)$", *_lines(played))
    assert found
    most, admitted = map(_number, found.groups())
    assert 0 < admitted <= most
    sources = re.search(r"^  answers by source: .*backup (\S+?)(,|$)", *_lines(played))
    assert sources
    assert _number(sources[1]) > 0


def test_requests_flow_while_a_sidecar_is_dead(played: subprocess.CompletedProcess[str]) -> None:
    """Those of its own app are let through by the policy, and shown as such."""
    assert "kill -9 sidecar b" in played.stdout
    assert "others decide these keys; app b is unlimited" in played.stdout
    row = re.search(r"^  one sidecar dead +\S+ +(.*)$", *_lines(played))
    assert row
    requests, admitted, _, by_policy, errors = map(_number, row[1].split())
    assert requests > admitted > 0
    assert by_policy > 0 == errors


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
        assert "kept  each request is answered" in output
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


def _lines(played: subprocess.CompletedProcess[str]) -> tuple[str, re.RegexFlag]:
    """Return what it printed, for patterns that match within a line."""
    return played.stdout, re.MULTILINE


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
