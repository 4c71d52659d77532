"""The page of a sidecar in a tab, and what must be so of it whatever it shows."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from sidegate_sidecar.process import Process
from tests.support.browser.chromium import Browser
from tests.support.browser.events import Told
from tests.support.browser.tab import Tab

SHOWN: Final = "document.querySelector('main').ariaBusy === 'false'"
SIDEWAYS: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
NAMED: Final = frozenset({"button", "textbox", "link", "table", "image", "region", "dialog"})


@asynccontextmanager
async def page_of(
    browser: Browser, node: Process, told: Told | None = None, *, width: int = 1280
) -> AsyncGenerator[Tab]:
    """Show the page of a node, with events of its own or these; in the end nothing was wrong."""
    if told is not None:
        node.http_server.live.look = told.look
    async with browser.tab(width) as tab:
        await tab.open(f"http://127.0.0.1:{node.http.port}/")
        yield tab
        await assert_sound(tab, node.http.port)


async def assert_sound(tab: Tab, *ports: int) -> None:
    """Nothing was complained about or fetched from elsewhere; nothing is cut off, or nameless."""
    assert tab.complaints == []
    hosts = {re.sub(r"(\d)/.*", r"\1", it) for it in tab.requests}
    assert hosts == {f"http://127.0.0.1:{port}" for port in ports}
    assert await tab.get(SIDEWAYS) <= 0
    assert await nameless(tab) == []


async def nameless(tab: Tab) -> list[str]:
    """Return the roles of what a screen reader can't name."""
    tree = await tab.send("Accessibility.getFullAXTree")
    return [
        node["role"]["value"]
        for node in tree["nodes"]
        if not node["ignored"]
        and node["role"]["value"].lower() in NAMED
        and not node.get("name", {}).get("value")
    ]
