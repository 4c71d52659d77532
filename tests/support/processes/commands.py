"""The command as a process of its own, from its start to its end."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.in_process.cluster import GENEROUS

FREE = ("--link", "127.0.0.1:0", "--http", "127.0.0.1:0")
ENVIRONMENT = {name: text for name, text in os.environ.items() if not name.startswith("SIDEGATE_")}


async def start(*arguments: str, **environment: str) -> Process:
    """Start Python with these arguments."""
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=PIPE, stderr=PIPE, env=ENVIRONMENT | environment
    )


async def finish(process: Process) -> tuple[int | None, str, str]:
    """Wait for the end of a process: exit code, stdout, stderr."""
    async with asyncio.timeout(3 * GENEROUS):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def sidegate(*arguments: str, **environment: str) -> tuple[int | None, str, str]:
    """Run the command to its end."""
    return await finish(await start("-m", "sidegate_sidecar", *arguments, **environment))


@dataclass
class Serving:
    """A sidecar in a process of its own, and the first line of its log."""

    process: Process
    line: str

    def address(self, what: str) -> str:
        """Return where it listens for `link` or `http`."""
        found = re.search(rf"{what} (127\.0\.0\.1:\d+)", self.line)
        assert found, self.line
        return found[1]


@asynccontextmanager
async def serving(*arguments: str, **environment: str) -> AsyncGenerator[Serving]:
    """Run a sidecar on free ports; it is gone after this, if need be by force."""
    process = await start("-m", "sidegate_sidecar", "serve", *FREE, *arguments, **environment)
    try:
        assert process.stderr is not None
        async with asyncio.timeout(3 * GENEROUS):
            line = await process.stderr.readline()
            while b"state file" in line:
                line = await process.stderr.readline()
        yield Serving(process, line.decode())
    finally:
        if process.returncode is None:
            process.kill()
            await finish(process)
