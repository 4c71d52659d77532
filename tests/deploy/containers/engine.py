"""A Docker engine for tests: the one of this machine, or one started for them by root."""

import os
import shutil
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from tests.support.optional import missing

PATIENCE: Final = 60.0  # seconds for the engine to start or end
A_MOMENT: Final = 0.1  # seconds between two looks at it
A_COMMAND: Final = 300.0  # seconds: the longest one is a build, or a load test
END_OF_LOG: Final = 4_000  # characters of what failed


@dataclass(frozen=True)
class Done:
    """How a command ended, what it answered, and what it said besides."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """What it said on both streams."""
        return self.out + self.err


class Engine:
    """A Docker engine, told by the client `docker`."""

    def __init__(self, socket: str = "") -> None:
        host = {"DOCKER_HOST": f"unix://{socket}"} if socket else {}
        self.environment: Mapping[str, str] = {**os.environ, **host}
        given = os.environ.get("DOCKER_HOST", "")
        self.socket = socket or (given.removeprefix("unix://") if given[:7] == "unix://" else "")

    def ask(self, *command: str, cwd: Path | None = None, **variables: str) -> Done:
        """Run a command that may fail."""
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=A_COMMAND,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def do(self, *command: str, cwd: Path | None = None, **variables: str) -> str:
        """Run a command that must not fail; return what it answered."""
        done = self.ask(*command, cwd=cwd, **variables)
        if done.code:
            said = done.said[-END_OF_LOG:]
            pytest.fail(f"{' '.join(command)}: exit code {done.code}\n{said}", pytrace=False)
        return done.out

    def docker(self, *arguments: str) -> str:
        """Run docker; return what it answered, without white space around it."""
        return self.do("docker", *arguments).strip()


@contextmanager
def running() -> Generator[Engine]:
    """Give the engine of this machine; as root, where none runs, start one and end it."""
    if not shutil.which("docker"):
        missing("no docker: on Debian apt-get install docker.io")
    engine = Engine()
    if engine.ask("docker", "info").code == 0:
        yield engine
    elif os.geteuid() or not shutil.which("dockerd"):
        missing("no Docker engine runs here, and to start one takes dockerd and root")
    else:
        with TemporaryDirectory(prefix="sidegate-engine-") as folder:
            yield from _started(Path(folder))


def _started(folder: Path) -> Generator[Engine]:
    socket, log = folder / "docker.sock", folder / "log"
    # Its own places for everything: an engine that someone starts meanwhile isn't touched.
    command = ["dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
    command += ["--pidfile", f"{folder}/pid", "--host", f"unix://{socket}"]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    engine = Engine(str(socket))
    try:
        _await(engine, process, log)
        yield engine
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _await(engine: Engine, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while engine.ask("docker", "info").code:
        if process.poll() is not None or time.monotonic() > deadline:
            missing(f"dockerd doesn't start here: {log.read_text()[-END_OF_LOG:]}")
        time.sleep(A_MOMENT)
