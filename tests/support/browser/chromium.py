"""A browser: Chromium without a window, which reaches nothing but this machine."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGKILL
from tempfile import TemporaryDirectory
from typing import Final

import httpx2

from tests.support.browser.tab import Tab
from tests.support.in_process.cluster import GENEROUS, eventually
from tests.support.optional import missing

OPTIONS: Final = (
    "--headless",
    "--no-sandbox",  # which root can't have; it sees our own page only
    "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-proxy-server",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


class Browser:
    """One that runs, by the port at which it takes commands."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/json/new?about:blank"

    @asynccontextmanager
    async def tab(self, width: int = 1280, height: int = 900) -> AsyncGenerator[Tab]:
        """Open a tab of that size; what is complained about in it fails in the end."""
        async with httpx2.AsyncClient(trust_env=False, timeout=GENEROUS) as client:
            target = (await client.put(self._url)).raise_for_status().json()
        async with Tab(str(target["webSocketDebuggerUrl"])) as tab:
            await tab.resize(width, height)
            yield tab


@asynccontextmanager
async def browser() -> AsyncGenerator[Browser]:
    """Run a browser; the test is skipped where there is none, and in CI fails."""
    command = shutil.which("chromium") or missing("chromium (on Debian: apt-get install chromium)")
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            command,
            *OPTIONS,
            f"--user-data-dir={folder}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # it has children
        )
        try:
            yield Browser(await _port(Path(folder, "DevToolsActivePort")))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, SIGKILL)
            await process.wait()


async def _port(file: Path) -> int:
    def said() -> str:
        text = file.read_text() if file.exists() else ""
        return text.partition("\n")[0] if "\n" in text else ""

    return int(await eventually(said, 3 * GENEROUS))
