"""What the run ran on, for the table's foot and the JSON."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_PACKAGES: Final = (
    "headgate",
    "uvloop",
    "uvicorn",
    "fastapi",
    "redis",
    "hiredis",
    "limits",
    "slowapi",
    "uhashring",
)
_PROGRAMS: Final = (("redis-server", "--version"), ("wrk", "-v"))


def describe_machine() -> dict[str, str]:
    """Return the versions and the machine in words."""
    one, _, _ = os.getloadavg()
    return {
        "when": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{os.cpu_count()} x {_processor()}",
        "load before": f"{one:.2f}",
        "system": platform.platform(),
        "Python": platform.python_version(),
        **{name: found for name in _PACKAGES if (found := _version(name))},
        **{name: found for name, flag in _PROGRAMS if (found := _first_line(name, flag))},
    }


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
