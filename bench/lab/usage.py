"""What a process has used so far, as the kernel counts it: CPU, memory, and what it wrote."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from bench.lab.processes import PATIENCE, ROOT
from bench.results import UnavailableError, VoidError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from resource import struct_rusage

MIB: Final = 1 << 20
_LOOK_EVERY: Final = 0.002  # seconds between two looks at a command that runs


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: resident, its fair share of pages that others use too, and resident at the most."""

    resident: int
    proportional: int
    peak: int


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes that a process gave to write(2), and in how many calls; sockets and files alike."""

    size: int
    calls: int


@dataclass(frozen=True, slots=True)
class Ran:
    """What one command took: CPU and wall time in ms, resident memory at the most in bytes."""

    cpu_ms: float
    wall_ms: float
    peak: int


def cpu_ns(pid: int) -> int:
    """Return the CPU time of all threads of a process, user and system, in ns."""
    # The id that clock_getcpuclockid(3) returns. /proc/PID/stat counts in steps of 10 ms, which is
    # more than an idle sidecar takes in a second.
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError as error:
        raise UnavailableError(f"no CPU clock of process {pid}: {error.strerror}") from None


def family_cpu_ns(pid: int) -> int:
    """Return the CPU time of a process and its children that live, such as a server's workers."""
    children = _lines(pid, f"task/{pid}/children")
    return sum(map(cpu_ns, [pid, *map(int, " ".join(children).split())]))


def memory_of(pid: int) -> Memory:
    """Return what a process has in memory."""
    shares = _kilobytes(pid, "smaps_rollup")
    return Memory(shares["Rss"], shares["Pss"], _kilobytes(pid, "status")["VmHWM"])


def written_by(pid: int) -> Written:
    """Return what a process has written."""
    pairs = (line.split(": ") for line in _lines(pid, "io"))
    counts = {name: int(count) for name, count in pairs}
    return Written(counts["wchar"], counts["syscw"])


async def used_a_second(pids: Sequence[int], seconds: float) -> dict[str, float]:
    """Return what the median of these processes uses a second: ms of CPU, writes and bytes."""
    before = [(cpu_ns(pid), written_by(pid)) for pid in pids]
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    after = [(cpu_ns(pid), written_by(pid)) for pid in pids]
    pairs = list(zip(before, after, strict=True))
    return {
        "cpu_ms": median(then[0] - now[0] for now, then in pairs) / 1e6 / took,
        "size": median(then[1].size - now[1].size for now, then in pairs) / took,
        "writes": median(then[1].calls - now[1].calls for now, then in pairs) / took,
    }


def available_memory() -> int:
    """Return how many bytes this machine can still give out, as its kernel estimates it."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError as error:
        raise UnavailableError(f"/proc/meminfo: {error.strerror}") from None
    return _amounts(lines)["MemAvailable"]


def ran(command: Sequence[str]) -> Ran:
    """Run a command to its end. VoidError unless it exits with 0, and soon."""
    began = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # as of all processes that a run starts
    ) as process:
        usage, peak = _watched(process)
    wall_ms = (time.perf_counter() - began) * 1e3
    if process.returncode:
        raise VoidError(f"{' '.join(command[1:])} exited with {process.returncode}")
    return Ran((usage.ru_utime + usage.ru_stime) * 1e3, wall_ms, peak)


def _watched(process: subprocess.Popen[bytes]) -> tuple[struct_rusage, int]:
    """Wait until a command has ended; return what it used, and its resident memory at the most."""
    deadline, peak = time.monotonic() + PATIENCE, 0
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage, peak
        with suppress(KeyError):  # it has just ended
            # Not ru_maxrss: that begins with what this process had when it forked.
            peak = _kilobytes(process.pid, "status")["VmHWM"]
        if time.monotonic() > deadline:
            process.kill()
        time.sleep(_LOOK_EVERY)


def _kilobytes(pid: int, file: str) -> dict[str, int]:
    """Return the lines of a file under /proc that are amounts of memory, in bytes."""
    return _amounts(_lines(pid, file))


def _amounts(lines: list[str]) -> dict[str, int]:
    words = [line.split() for line in lines]
    return {line[0][:-1]: int(line[1]) * 1024 for line in words if line[-1] == "kB"}


def _lines(pid: int, file: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError as error:
        raise UnavailableError(f"/proc/{pid}/{file}: {error.strerror}") from None
