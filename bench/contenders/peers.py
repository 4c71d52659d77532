"""The programs of the peers: found, or installed from Debian's packages when that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Final

from bench.results import UnavailableError

_PACKAGES: Final = {
    "redis-server": "redis-server",
    "redis-benchmark": "redis-tools",
    "redis-cli": "redis-tools",
    "wrk": "wrk",
    "protoc": "protobuf-compiler",  # which builds of peers ask for
}
_QUIET: Final = {
    "DEBIAN_FRONTEND": "noninteractive",
    "RUNLEVEL": "1",  # keeps the package from starting a Redis on the default port
}


def program(name: str) -> str:
    """Return the path of a program, installing its package if need be."""
    found = shutil.which(name)
    if found is None:
        _install(_PACKAGES[name])
        found = shutil.which(name)
    if found is None:
        raise UnavailableError(f"{name} is not installed")
    return found


def _install(package: str) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise UnavailableError(f"{package} is not installed, and only root can, with apt-get")
    for command in (["update"], ["install", "-y", "--no-install-recommends", package]):
        done = subprocess.run(
            ["apt-get", "-qq", *command],
            env={**os.environ, **_QUIET},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if done.returncode:
            raise UnavailableError(f"apt-get could not install {package}: {done.stderr.strip()}")
