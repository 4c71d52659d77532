"""Stand-ins for images of a registry, made of Debian packages where no registry can be reached.

python -m tests.deploy.containers.standin makes them as archives in .venv/tools, once: as root, in a
minute.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.support.deploy.tools import TOOLS, alone

BASE: Final = TOOLS / "standin-base.tar"  # for python:3.13-slim
SERVERS: Final = TOOLS / "standin-servers.tar"  # for nginx and prom/prometheus
SUITE: Final = "bookworm"
PYTHON: Final = "3.11"  # of that suite
_BASE_PACKAGES: Final = "python3,python3-venv,ca-certificates"
_SERVERS: Final = ("nginx-light", "prometheus")


def make() -> None:
    """Make the archives that are not there yet; waits for another process that is at it."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    with alone(TOOLS / "standin.lock"):
        if not (BASE.exists() and SERVERS.exists()):
            with TemporaryDirectory(prefix="sidegate-standin-") as folder:
                _make(Path(folder))


def _make(folder: Path) -> None:
    root = folder / "root"
    _run("debootstrap", "--variant=minbase", f"--include={_BASE_PACKAGES}", SUITE, str(root))
    _archive(root, BASE)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    _run("chroot", str(root), "apt-get", "-qq", "update")
    install = ("apt-get", "-qq", "install", "-y", "--no-install-recommends")
    _run("chroot", str(root), *install, *_SERVERS)
    (root / "etc/resolv.conf").unlink()
    data = root / "prometheus"  # where the real image keeps its data, as nobody
    data.mkdir()
    os.chown(data, 65534, 65534)
    _archive(root, SERVERS)


def _archive(root: Path, into: Path) -> None:
    """Pack a folder; the archive is there whole or not at all."""
    unfinished = into.with_suffix(".unfinished")
    _run("tar", "-C", str(root), "-cf", str(unfinished), ".")
    unfinished.replace(into)


def _run(*command: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    make()
