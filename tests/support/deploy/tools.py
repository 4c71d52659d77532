"""The tools that tests of the chart need, built from source into .venv/tools, once each.

    python -m tests.support.deploy.tools

It takes Go (see `go.py`), and two minutes on two cores, so CI starts it early, in the background;
a test that comes before it is done waits for it.
"""

import fcntl
import signal
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from tests.support.deploy import go

TOOLS: Final = Path(sys.prefix) / "tools"


class Tool(NamedTuple):
    """A command of a Go module, at the version that we test with."""

    package: str
    version: str


PINNED: Final = {
    "helm3": Tool("helm.sh/helm/v3/cmd/helm", "v3.22.0"),
    # Of the same libraries of Kubernetes as that one: so nine tenths of it are compiled by then.
    "helm4": Tool("helm.sh/helm/v4/cmd/helm", "v4.3.0"),
    "helm-docs": Tool("github.com/norwoodj/helm-docs/cmd/helm-docs", "v1.14.2"),
}


def install(name: str, tools: Path = TOOLS) -> Path:
    """Return the tool, built at the pinned version if it isn't there; GoError if that fails."""
    tool = PINNED[name]

    def build(folder: Path) -> Path:
        words = ("install", f"{tool.package}@{tool.version}")
        go.run(*words, folder=folder, environment={"GOBIN": str(folder)})
        return folder / Path(tool.package).name

    return keep(name, tool.version, build, tools)


def keep(name: str, version: str, build: Callable[[Path], Path], tools: Path = TOOLS) -> Path:
    """Return a tool of that version; one that isn't there is built, one at a time in a folder.

    `build` is given a folder to make it in, and returns where it is.
    """
    file, says = tools / name, tools / f"{name}.version"

    def is_there() -> bool:
        return says.exists() and says.read_text() == version and file.exists()

    if is_there():  # and whoever builds another one isn't waited for
        return file
    tools.mkdir(parents=True, exist_ok=True)
    with (
        alone(tools / ".lock"),
        TemporaryDirectory(dir=tools, ignore_cleanup_errors=True) as folder,
    ):
        if not is_there():
            sys.stderr.write(f"building {name} {version}\n")
            says.unlink(missing_ok=True)
            build(Path(folder)).replace(file)
            says.write_text(version)  # last: a tool that was built halfway is built again
    return file


@contextmanager
def alone(lock: Path) -> Generator[None]:
    """Wait until no other process holds the lock, a file, and hold it."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def command(what: str, builds: Iterable[Callable[[], object]]) -> None:
    """Build as a command: it says in one line why it failed, and told to end it clears up."""

    def stop(*_: object) -> None:
        sys.exit(f"{what}: stopped before it was built")

    signal.signal(signal.SIGTERM, stop)
    try:
        for build in builds:
            build()
    except go.GoError as error:
        sys.exit(f"{what}: {error}")


if __name__ == "__main__":
    command("Helm", [partial(install, name) for name in PINNED])
