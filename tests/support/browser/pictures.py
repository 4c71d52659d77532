"""Pictures of the page for the documentation: `python -m tests.support.browser.pictures FOLDER`.

Three nodes run in this process, and are really asked. What they counted in the ten minutes before
is made up, so that nobody has to wait for ten minutes.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from math import sin
from pathlib import Path
from typing import Final, NamedTuple

from sidegate.client.client import Client
from sidegate_sidecar.process import Process
from sidegate_sidecar.reports.series import Column
from tests.support.browser.chromium import Browser, browser
from tests.support.browser.tab import Tab
from tests.support.in_process.cluster import clients, cluster

NAMES: Final = ("node-a", "node-b", "node-c")
WIDE, NARROW = 1280, 390
BEFORE: Final = 600  # seconds that are made up
NS: Final = 10**9
FREELY: Final = "10000/minute"
TURNS: Final = 100  # of a second, in which a scene is asked at most


class Asked(NamedTuple):
    """How often a key is asked for a second: what passes, and what doesn't since some seconds."""

    key: str
    allowed: int
    denied: int = 0
    since: int = 0

    def denied_at(self, age: int) -> int:
        """Return how often it was denied in the second that is so long ago."""
        return self.denied if age < self.since else 0


QUIET: Final = (
    *(Asked(f"api:customer-{at}", 3 + at % 5) for at in range(9)),
    *(Asked(f"search:customer-{at}", 4) for at in range(6)),
    Asked("login:203.0.113.9", 1),
    Asked("export:customer-2", 1),
)
BUSY: Final = (
    *QUIET,
    Asked("login:198.51.100.23", 0, 31, 170),
    Asked("api:customer-3", 0, 14, 340),
    Asked("api:customer-7", 0, 6, 260),
    Asked("export:customer-2", 0, 2, 90),
)


class Scene(NamedTuple):
    """One picture: what is asked, and how the page is looked at."""

    name: str
    asked: Sequence[Asked]
    width: int
    dark: bool = False
    key: str = ""  # that is looked at
    kills: bool = False
    height: int = 0  # of the upper part that is taken; 0 for all


SCENES: Final = (
    Scene("idle", QUIET, WIDE),
    Scene("overview", BUSY, WIDE, height=620),
    Scene("load", BUSY, WIDE, key="login:198.51.100.23"),
    Scene("kill-dark", BUSY, WIDE, dark=True, kills=True),
    Scene("phone-idle-dark", QUIET, NARROW, dark=True),
    Scene("phone-load", BUSY, NARROW, key="login:198.51.100.23"),
    Scene("phone-kill-dark", BUSY, NARROW, dark=True, kills=True),
)


def remember(nodes: Sequence[Process], asked: Sequence[Asked]) -> None:
    """Have each node have counted what it owns, in the last ten minutes."""
    ring = nodes[0].cluster.ring
    for node in nodes:
        counting = node.node.counting
        assert counting is not None  # reports are on
        own = [it for it in asked if ring.owner(it.key) == node.config.name]
        for age in range(BEFORE, 0, -1):
            now = counting.clock() - age * NS
            for it in own:
                usual = round(it.allowed * (1 + 0.4 * sin(age / 40)) + 0.5 * (age % 2))
                counts = {Column.ALLOWED: usual, Column.DENIED: it.denied_at(age)}
                for column, times in counts.items():
                    if times and (it.allowed or column is Column.DENIED):
                        came = {it.key: times}
                        list(counting.activity.fold("owner", column, came, None, now))


@asynccontextmanager
async def traffic(asking: Sequence[Client], asked: Sequence[Asked]) -> AsyncGenerator[None]:
    """Ask as often as that, of all nodes in turn."""

    async def ask() -> None:
        for turn in range(TURNS):
            client = asking[turn % len(asking)]
            passing = (client.check(it.key, FREELY) for it in asked for _ in range(it.allowed))
            denied = (client.check(it.key, "5/minute") for it in asked for _ in range(it.denied))
            await asyncio.gather(asyncio.gather(*passing, *denied), asyncio.sleep(1.0))

    task = asyncio.create_task(ask())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def take(scene: Scene, chromium: Browser, folder: Path) -> None:
    """Take one picture."""
    async with cluster(*NAMES) as nodes, clients(nodes[0], nodes[2]) as asking:
        remember(nodes, scene.asked)
        async with traffic(asking, scene.asked), chromium.tab(scene.width) as tab:
            await tab.darken(dark=scene.dark)
            await tab.open(f"http://127.0.0.1:{nodes[0].http.port}/")
            await play(scene, nodes, tab)
            await tab.picture(folder / f"{scene.name}.webp", scene.height)
            assert tab.complaints == []


async def play(scene: Scene, nodes: Sequence[Process], tab: Tab) -> None:
    """Have happen what the picture is to show."""
    await tab.until_text("#state", "Live: 3 of 3")
    await tab.until("document.querySelectorAll('#lines li').length === 4")
    if scene.key:
        await tab.get("document.querySelector('#which').focus({preventScroll: true})")
        await tab.write(scene.key)
        await tab.press("Enter")
        await tab.until_text("#buckets tbody", "of 5")
    if scene.kills:
        await nodes[1].stop()
        await tab.until_text("#happened", "node-b is gone")
    await tab.get("document.activeElement.blur()")


async def main(folder: Path) -> None:
    """Take all pictures; that a node is killed is no news here."""
    logging.getLogger("sidegate").setLevel(logging.CRITICAL)
    async with browser() as chromium:
        for scene in SCENES:
            await take(scene, chromium, folder)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
