"""Running the command in this process, and tests of TLS on both loops."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import uvloop

from sidegate_sidecar.cli import commands as cli
from sidegate_sidecar.process import Process
from tests.support.in_process.commands import Ending, Run


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests of TLS and of the HTTP front on both loops, which differ there; others on one."""
    factories = {"asyncio": asyncio.new_event_loop}
    is_of_both = item.path.stem == "test_listener" or item.path.parent.name == "http"
    return {**factories, "uvloop": uvloop.new_event_loop} if is_of_both else factories


@pytest.fixture
async def stack() -> AsyncGenerator[AsyncExitStack]:
    """Return a stack that ends what a test runs, the latest first."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs the command, with nothing in the environment that it would take."""
    for name in [*os.environ]:
        if name.startswith("SIDEGATE_") or name in {"FORCE_COLOR", "NO_COLOR", "COLUMNS"}:
            monkeypatch.delenv(name)

    def run(*arguments: str) -> Ending:
        code = cli.run(arguments)
        said = capsys.readouterr()
        return Ending(code, said.out, said.err)

    return run


@pytest.fixture
def ask(run: Run) -> Any:
    """Return what runs a command against a sidecar of this process, in a thread of its own."""

    async def ask(node: Process, *arguments: str) -> Ending:
        command, *rest = arguments
        return await asyncio.to_thread(run, command, "--http", str(node.http), *rest)

    return ask


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a state file goes: in a folder that is there."""
    return tmp_path / "sidegate.state"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return what hears every line of the log, from info on."""
    caplog.set_level(logging.INFO, "sidegate")
    return caplog
