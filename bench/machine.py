"""What the run ran on, for the table's foot and the JSON."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_PACKAGES: Final = (
    "sidegate",
    "uvloop",
    "uvicorn",
    "fastapi",
    "flask",
    "gunicorn",
    "redis",
    "hiredis",
    "limits",
    "slowapi",
    "flask-limiter",
    "uhashring",
)
_PROGRAMS: Final = (("redis-server", "--version"), ("wrk", "-v"))


def describe_machine() -> dict[str, str]:
    """Return the versions and the machine in words."""
    return {
        "when": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{os.cpu_count()} x {_processor()}",
        "system": platform.platform(),
        "Python": platform.python_version(),
        **{name: found for name in _PACKAGES if (found := _version(name))},
        **{name: found for name, flag in _PROGRAMS if (found := _first_line(name, flag))},
    }


def busy_share() -> float:
    """Return the share of all cores that was busy with other work, for half a second."""
    idle, total = _ticks()
    time.sleep(0.5)
    idle_then, total_then = _ticks()
    return 1 - (idle_then - idle) / max(total_then - total, 1)


def _ticks() -> tuple[int, int]:
    """Return the idle and all ticks of all cores since the start, as the kernel counts them."""
    ticks = [int(figure) for figure in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return ticks[3] + ticks[4], sum(ticks[:8])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "?")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _first_line(name: str, flag: str) -> str | None:
    if shutil.which(name) is None:
        return None
    said = subprocess.run([name, flag], capture_output=True, text=True, check=False)  # wrk exits 1
    return said.stdout.partition("\n")[0].partition(" sha=")[0].partition(" Copyright")[0]
