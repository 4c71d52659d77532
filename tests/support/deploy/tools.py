"""The tools that tests of the chart need, built from source into .venv/tools, once each.

    python -m tests.support.deploy.tools

It needs `go`, which fetches the sources as it is configured to (GOPROXY) and checks them against
its checksum database. On two cores each Helm takes about 100 s, so CI starts it early, in the
background; a test that comes before it is done waits for it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator

TOOLS: Final = Path(sys.prefix) / "tools"


class Tool(NamedTuple):
    """A command of a Go module, at the version that we test with."""

    package: str
    version: str


PINNED: Final = {
    "helm3": Tool("helm.sh/helm/v3/cmd/helm", "v3.22.0"),
    "helm4": Tool("helm.sh/helm/v4/cmd/helm", "v4.3.1"),
    "helm-docs": Tool("github.com/norwoodj/helm-docs/cmd/helm-docs", "v1.14.2"),
}


def install(name: str, tools: Path = TOOLS) -> Path:
    """Return the tool, built at the pinned version if it isn't there; one at a time in a folder.

    FileNotFoundError if go is needed and missing, CalledProcessError if the build fails.
    """
    tools.mkdir(parents=True, exist_ok=True)
    with alone(tools / ".lock"):
        if not _is_current(name, tools):
            _build(name, tools)
    return tools / name


def _is_current(name: str, tools: Path) -> bool:
    says = tools / f"{name}.version"
    return says.exists() and says.read_text() == PINNED[name].version and (tools / name).exists()


def _build(name: str, tools: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise FileNotFoundError(f"{name}: go is not in the PATH, which builds it from its source")
    package, version = PINNED[name]
    sys.stderr.write(f"building {name} {version}\n")
    with TemporaryDirectory(dir=tools) as folder:
        build = {**os.environ, "GOBIN": folder, "GOFLAGS": "-mod=mod"}
        subprocess.run([go, "install", f"{package}@{version}"], env=build, check=True)
        # The version last: a tool that was built halfway is built again.
        (Path(folder) / Path(package).name).replace(tools / name)
    (tools / f"{name}.version").write_text(version)


@contextmanager
def alone(lock: Path) -> Generator[None]:
    """Wait until no other process holds the lock, a file, and hold it."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Build all of them."""
    try:
        for name in PINNED:
            install(name)
    except FileNotFoundError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
