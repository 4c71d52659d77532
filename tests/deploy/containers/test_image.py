"""The image: locked down as Kubernetes would have it, it serves, says how it is, and leaves."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from sidegate.version import __version__
from tests.deploy.containers.engine import Engine
from tests.support.processes.services import ROOT, until

LOCKED_DOWN: Final = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
SECRET: Final = ("--env", "SIDEGATE_SECRET=for-these-tests-only")
OFTEN: Final = "--health-interval=1s"  # than in the image
MAX_ADDED: Final = 100 * 2**20  # bytes that we may add to the base image
APP: Final = """
import asyncio, os
from sidegate import Client

async def main():
    async with Client("unix:/run/sidegate/sidegate.sock", budget=5) as client:
        print(os.getuid(), (await client.check("k", "1/hour")).source)

asyncio.run(main())
"""
CONTENT: Final = """
import pkgutil, sys
from pathlib import Path

print(*(it.name for it in pkgutil.iter_modules([path for path in sys.path if "/opt/" in path])))
print(*(path for path in map(Path, ("/src", "/pip", "/dist", "/root/.cache")) if path.exists()))
"""


@contextmanager
def container(engine: Engine, image: str, *arguments: str) -> Generator[str]:
    """Run a container; it is gone after this."""
    name = engine.docker("run", "--detach", OFTEN, *LOCKED_DOWN, *SECRET, *arguments, image)
    try:
        yield name
    finally:
        engine.docker("rm", "--force", "--volumes", name)


def inspected(engine: Engine, name: str) -> dict[str, Any]:
    """Return what the engine knows of a container."""
    found: list[dict[str, Any]] = json.loads(engine.docker("container", "inspect", name))
    return found[0]


def wait_healthy(engine: Engine, name: str) -> None:
    """Wait until the image's own health check has passed."""
    until(
        lambda: inspected(engine, name)["State"]["Health"]["Status"] == "healthy",
        lambda: json.dumps(inspected(engine, name)["State"]) + engine.docker("logs", name),
    )


@pytest.fixture(scope="module")
def config(engine: Engine, image: str) -> dict[str, Any]:
    """Return the image's configuration."""
    found: list[dict[str, dict[str, Any]]] = json.loads(engine.docker("image", "inspect", image))
    return found[0]["Config"]


def test_it_serves_locked_down(engine: Engine, image: str) -> None:
    """As a number that isn't root, on a read-only file system, without any capability."""
    with container(engine, image) as name:
        wait_healthy(engine, name)
        assert inspected(engine, name)["Config"]["User"] == "10001:10001"
        program = "from pathlib import Path; print(Path('/proc/1/status').read_text())"
        status = dict(
            line.split(":\t", 1)
            for line in engine.docker("exec", name, "python", "-c", program).splitlines()
        )
        assert status["Uid"].split() == ["10001"] * 4
        assert {int(status[kind], 16) for kind in ("CapEff", "CapPrm", "CapBnd")} == {0}
        assert status["NoNewPrivs"] == "1"
        said = engine.docker("exec", name, "sidegate", "check", "k", "1/hour")
        assert said.startswith("allowed: 0 of 1 left")
        assert engine.docker("diff", name) == ""


def test_it_leaves_when_it_is_stopped(engine: Engine, image: str) -> None:
    """SIGTERM reaches the process, which has nobody to hand over to, says so, and exits with 0."""
    with container(engine, image) as name:
        wait_healthy(engine, name)
        engine.docker("stop", "--time=30", name)
        state = inspected(engine, name)["State"]
        log = engine.ask("docker", "logs", name).said
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    assert "there is no other node to take its buckets" in log


def test_an_app_that_is_someone_else_may_use_the_socket(engine: Engine, image: str) -> None:
    """App and sidecar share a folder, and are different users: as in a pod."""
    volume = engine.docker("volume", "create")
    there = ("--volume", f"{volume}:/run/sidegate")
    read_only = ("--volume", f"{volume}:/run/sidegate:ro")
    socket = ("--env", "SIDEGATE_SOCKET=/run/sidegate/sidegate.sock")
    try:
        with container(engine, image, *there, *socket) as name:
            wait_healthy(engine, name)
            app = ("--user=4711:4711", "--network=none", "--entrypoint=python")
            said = engine.docker("run", "--rm", *LOCKED_DOWN, *read_only, *app, image, "-c", APP)
    finally:
        engine.docker("volume", "rm", "--force", volume)
    assert said == "4711 owner"


def test_without_a_secret_it_says_what_to_give(engine: Engine, image: str) -> None:
    """It listens beyond its container, and so refuses to start open to everyone."""
    done = engine.ask("docker", "run", "--rm", *LOCKED_DOWN, image)
    assert done.code == 2
    assert "SIDEGATE_LINK" in done.said
    assert "SIDEGATE_SECRET" in done.said


def test_no_shell_is_needed(config: dict[str, Any]) -> None:
    """What is run is a program each, so a base without a shell will do, and signals arrive."""
    assert config["Entrypoint"] == ["sidegate"]
    assert config["Cmd"] == ["serve"]
    assert config["Healthcheck"]["Test"] == ["CMD", "sidegate", "health"]


def test_it_tells_what_it_is(config: dict[str, Any]) -> None:
    """Its labels have the version of the code in it, and the licence."""
    labels = {key.rpartition(".")[2]: value for key, value in config["Labels"].items()}
    assert labels["title"] == "sidegate"
    assert labels["version"] == __version__
    assert labels["licenses"] == "Apache-2.0"
    assert sorted(config["ExposedPorts"]) == ["7171/tcp", "7172/tcp"]


def test_it_has_only_what_runs(engine: Engine, image: str, record_property: Any) -> None:
    """The wheel and its dependencies: no pip, no sources, no tests, no caches."""
    run = ("run", "--rm", "--user=0", *LOCKED_DOWN, "--entrypoint=python", image, "-c", CONTENT)
    modules, _, files = engine.docker(*run).partition("\n")
    assert {"sidegate", "sidegate_ring", "sidegate_sidecar"} <= {*modules.split()}
    assert not {"pip", "setuptools", "hatchling", "tests", "pytest"} & {*modules.split()}
    assert files == ""
    added = added_bytes(engine, image)
    record_property("bytes added to the base image", added)
    assert added < MAX_ADDED, f"{added / 2**20:.0f} MiB added to the base image"


def added_bytes(engine: Engine, image: str) -> int:
    """Return the size of the layers that our Dockerfile adds to its base."""
    rows = engine.docker(
        "history", "--human=false", "--no-trunc", "--format={{.Size}}\t{{.CreatedBy}}", image
    )
    layers = [row.split("\t") for row in rows.splitlines()]  # the newest first
    first = next(at for at, (_, by) in enumerate(layers) if "ARG" in by and "VERSION=" in by)
    return sum(int(size) for size, _ in layers[: first + 1])


def test_what_is_sent_to_the_engine_is_what_is_needed() -> None:
    """.dockerignore lets through what the Dockerfile and the build of the wheel ask for."""
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    assert {"pyproject.toml", "constraints.txt", "ring", "middleware", "sidecar"} <= allowed
    assert not {"tests", "docs", ".git", ".venv", "charts"} & allowed
