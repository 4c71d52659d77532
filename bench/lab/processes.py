"""The processes that a run starts: each ends with the block that started it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.results import UnavailableError
from sidegate_sidecar.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

ROOT = Path(__file__).parents[2]
PATIENCE: Final = 15.0  # seconds to start or to end; all of them need far less than one


@contextmanager
def running(
    command: Sequence[str], log: Path, *, pass_fds: Sequence[int] = ()
) -> Generator[subprocess.Popen[bytes]]:
    """Run a command for as long as the block, away from the terminal's Ctrl-C."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
            start_new_session=True,  # a Ctrl-C ends this process first, which ends them in order
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


async def until_listening(process: subprocess.Popen[bytes], path: Path, log: Path) -> None:
    """Wait until something accepts connections on the unix socket."""
    await until_started(process, log, lambda: _accepts(path))


async def until_started(
    process: subprocess.Popen[bytes], log: Path, condition: Callable[[], bool]
) -> None:
    """Wait until the condition is true; UnavailableError has the end of the log if it never is."""

    async def has_started() -> bool:
        return condition() or process.poll() is not None

    in_time = await until(has_started, within=PATIENCE, look_every=0.02)
    if not in_time or process.poll() is not None:
        raise _did_not_start(log)


def _did_not_start(log: Path) -> UnavailableError:
    *_, last = ["no word", *log.read_text(errors="replace").split("\n")[:-1]]
    return UnavailableError(f"{log.stem} did not start: {last}")


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


async def output_of(command: Sequence[str], patience: float = 60.0) -> str:
    """Run a command to its end and return what it printed; it dies with a cancelled task."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        printed, complaint = await asyncio.wait_for(process.communicate(), patience)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = complaint.decode(errors="replace").strip()[-500:]
        raise UnavailableError(f"{command[0]} exited with {process.returncode}: {said}")
    return printed.decode()


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of this package's modules in a process of its own."""
    return [sys.executable, "-m", module, *arguments]


def resident_bytes(pid: int) -> int:
    """Return the RSS of a process, as the kernel counts it."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
