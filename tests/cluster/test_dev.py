"""`sidegate dev` as its user runs it: an app that is limited at once, and nothing outlives it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.support.processes.services import until

DEV: Final = (sys.executable, "-m", "sidegate_sidecar", "dev")
PATIENCE: Final = 60.0  # seconds: for what takes one on a machine with nothing else to do

APP: Final = """
    import os, signal, sys

    from sidegate import BlockingClient

    asking = BlockingClient(budget=20)
    print("said", *(asking.check("k", "2/day").source for _ in range(2)), flush=True)
    print("pid", os.getpid(), flush=True)
    if "asks" in sys.argv:
        sys.stdin.read()
    if "waits" in sys.argv:
        signal.pause()
    sys.exit(int(sys.argv[-1]))
"""


@pytest.fixture
def app(tmp_path: Path) -> tuple[str, ...]:
    """Return a command that runs an app; its last argument is its exit code."""
    path = tmp_path / "app.py"
    path.write_text("\n".join(line[4:] for line in APP.splitlines()))
    return (sys.executable, str(path))


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command beside a sidecar to its end."""
    return subprocess.run(
        (*DEV, *command),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def running(*command: str) -> Generator[tuple[subprocess.Popen[str], int, str]]:
    """Run it until the block ends; give its process, the app's id, the sidecar's HTTP address."""
    with subprocess.Popen((*DEV, *command), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = ""
            while not (found := re.search(r"^pid (\d+)$", said, re.MULTILINE)):
                line = process.stdout.readline()
                assert line, said
                said += line
            http = re.search(r"HTTP at (\S+);", said)
            assert http
            yield process, int(found.group(1)), http.group(1)
        finally:
            process.terminate()  # which ends the app too; killed, it would leave it behind
            process.wait(PATIENCE)


def is_alive(pid: int) -> bool:
    """Does this process run, and is it no child of ours that has ended?"""
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the latter: it has gone meanwhile
        return False


def pid_of_sidecar(parent: int) -> int:
    """Return the id of the sidecar that a `sidegate dev` has started."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            fields = status.read_text().rpartition(")")[2].split()
            command = (status.parent / "cmdline").read_bytes()
            if int(fields[1]) == parent and b"--name=dev" in command:
                return int(status.parent.name)
    raise AssertionError(f"no sidecar of {parent}")


@pytest.mark.parametrize("dashes", [("--",), ()])
def test_an_app_is_limited_at_once_and_its_exit_code_is_that_of_the_command(
    app: tuple[str, ...], dashes: tuple[str, ...]
) -> None:
    """With whatever options, and with a secret in its environment that its sidecar doesn't have."""
    done = run(*dashes, *app, "--reload", "-h", "7", SIDEGATE_SECRET="of another sidecar, no doubt")
    assert (done.returncode, done.stderr) == (7, "")
    assert "said owner owner" in done.stdout


@pytest.mark.parametrize(
    ("number", "within"), [(signal.SIGTERM, "at once"), (signal.SIGINT, "a while")]
)
def test_a_signal_ends_all_three(app: tuple[str, ...], number: signal.Signals, within: str) -> None:
    """SIGTERM goes on to the app. A Ctrl-C the app gets itself; if it hasn't, it is told to end."""
    with running(*app, "waits", "0") as (process, pid, _):
        sidecar = pid_of_sidecar(process.pid)
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM, within
        assert not is_alive(pid)
        assert not is_alive(sidecar)


def test_the_sidecar_goes_with_a_command_that_is_killed(app: tuple[str, ...]) -> None:
    with running(*app, "waits", "0") as (process, pid, _):
        sidecar = pid_of_sidecar(process.pid)
        process.kill()
        until(lambda: not is_alive(sidecar))
        os.kill(pid, signal.SIGKILL)


def test_an_app_whose_sidecar_ends_is_ended_too(app: tuple[str, ...]) -> None:
    with running(*app, "waits", "0") as (process, pid, _):
        os.kill(pid_of_sidecar(process.pid), signal.SIGKILL)
        assert process.wait(PATIENCE) == 1
        assert not is_alive(pid)


def test_a_second_one_takes_other_ports(app: tuple[str, ...]) -> None:
    with running(*app, "waits", "0") as (_, _, http), running(*app, "waits", "0") as (_, _, other):
        assert http != other


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("/nowhere/app",), "'/nowhere/app' can't be run: No such file or directory"),
        ((str(Path(__file__).parent),), "can't be run: Permission denied"),
        ((), "Missing argument 'COMMAND"),
    ],
)
def test_what_cannot_be_run_is_named(command: tuple[str, ...], said: str) -> None:
    done = run(*command)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_the_app_has_the_standard_input(app: tuple[str, ...]) -> None:
    """So a debugger works, and an app that waits for its input ends with it."""
    assert run(*app, "asks", "3").returncode == 3
