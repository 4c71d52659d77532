"""The page in a real browser, of three sidecars as processes that are asked all the time."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from sidegate.client.client import Client
from tests.support.browser.chromium import browser
from tests.support.browser.pages import assert_sound
from tests.support.processes.fleet import fleet
from tests.support.processes.services import PATIENCE

HAMMERED = ("login:mallory", "api:trudy")
OTHERS = tuple(f"api:customer-{at}" for at in range(8))
LIMIT = "20/hour"
MAX_ROUNDS = 20_000


@asynccontextmanager
async def traffic(asking: list[Client]) -> AsyncGenerator[None]:
    """Ask all the time: two keys ten times as often as the others, and the first most."""

    async def ask(client: Client) -> None:
        keys = [*HAMMERED[:1] * 20, *HAMMERED[1:] * 10, *OTHERS]
        for _ in range(MAX_ROUNDS):
            await asyncio.gather(*(client.check(key, LIMIT) for key in keys))
            await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(ask(client)) for client in asking]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def test_the_page_shows_what_happens() -> None:
    """From any node: who is denied most comes first; a key is reset; a node that is killed is said.

    Nothing is fetched from elsewhere, and nothing is complained about.
    """
    async with (
        fleet("a", "b", "c") as nodes,
        nodes.asking() as asking,
        traffic(asking),
        browser() as chromium,
        chromium.tab() as tab,
    ):
        for node in ("c", "a"):
            at = nodes.nodes[node].http.number
            await tab.open(f"http://127.0.0.1:{at}/")
            await tab.until_text("#answer", "requests a second are denied.", PATIENCE)
            await tab.until_text("#state", "Live: 3 of 3 nodes answer", PATIENCE)
            for place, key in enumerate(HAMMERED, 1):
                await tab.until_text(f"#denied tbody tr:nth-child({place})", key, PATIENCE)
        before = await tab.text("#denied tbody")
        await tab.until(
            f"document.querySelector('#denied tbody').innerText !== {json.dumps(before)}"
        )
        for rule in ("api", "login"):
            await tab.until_text("#lines", rule)

        await tab.click("#denied tbody tr:first-child button")
        await tab.until_text("#buckets tbody", "0 of 20", PATIENCE)
        await tab.click("#reset")
        await tab.click("#ask-yes")
        await tab.until_text("#found", f"{HAMMERED[0]} was reset.", PATIENCE)
        await assert_sound(tab, *(nodes.nodes[it].http.number for it in "ac"))

        nodes.kill("b")
        await tab.until_text("#trouble", "No answer from b: what it decided is missing", PATIENCE)
        await tab.until_text("#happened", "b is gone; others own its keys now.", PATIENCE)
        await tab.until_text("#happened", "has handed over", PATIENCE)
        await tab.until_text("#ring-says", "2 nodes own all keys", PATIENCE)
        assert tab.complaints == []

        nodes.kill("a")
        await tab.until_text("#state", "Not connected", PATIENCE)
        nodes.launch("a", seeds=("c",))
        await nodes.ready("a")
        await tab.until_text("#state", "Live: 2 of 2 nodes answer", PATIENCE)
