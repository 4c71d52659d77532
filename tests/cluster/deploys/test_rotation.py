"""A new secret takes the place of an old one while nodes come and go and apps ask: no gap."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from tests.support.in_process.cluster import GENEROUS, client, eventually, eventually_answered
from tests.support.processes.fleet import Fleet
from tests.support.processes.services import Sidecar

NAMES: Final = ("n1", "n2", "n3")
BEFORE: Final = "old"
STEPS: Final = {  # and what the log says of each
    "old\nnew": "2 accepted, the first is the same as before",
    "new\nold": "2 accepted, the first is another than before",
    "new": "1 accepted, the first is the same as before",
}
KEYS: Final = [f"customer-{at}" for at in range(12)]  # each node owns some
LIMIT: Final = "10/hour"
SPENT: Final = 5  # of each key before
REFUSED: Final = "the two sides don't have the same secret (secret)"
PLENTY: Final = "1000000000/hour"
PAUSE: Final = 0.02  # seconds between two links of an app: a load, on a machine with two cores


class Keepers(Fleet):
    """A fleet whose nodes have a file with the secrets each, under their names in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(budget=GENEROUS)
        self._folder = folder

    def make(self, name: str) -> Sidecar:
        return Sidecar(name, secret_file=self.file(name), **self._options)

    def file(self, name: str) -> Path:
        """Return where a node has its secrets."""
        return self._folder / name

    def tell(self, name: str, secrets: str) -> None:
        """Give a node other secrets, while it runs or before, at one stroke."""
        fresh = self._folder / "fresh"
        fresh.write_text(secrets)
        fresh.replace(self.file(name))

    async def says(self, name: str, words: str) -> None:
        """Wait until a node has said something in its log."""
        node = self.nodes[name]
        await eventually(lambda: words in node.log)

    async def restart(self, name: str) -> None:
        """End a node, and start it again: all links to it and from it are made anew."""
        await self.stop(name)
        await self.whole()
        await self.start(name)
        await self.whole()


def keepers(folder: Path, secrets: str) -> AbstractAsyncContextManager[Keepers]:
    """Run three nodes; they are one ring when this is entered."""
    cluster = Keepers(folder)
    for name in NAMES:
        cluster.tell(name, secrets)
    return cluster.running(*NAMES)


class Apps:
    """Apps that ask all the time, each time over a new link; `answers` counts who decided."""

    def __init__(self, cluster: Keepers, group: asyncio.TaskGroup) -> None:
        self._cluster = cluster
        self._group = group
        self._asking: dict[str, asyncio.Task[None]] = {}
        self.answers: Counter[str] = Counter()

    def come(self, *names: str) -> None:
        """Ask these nodes from now on."""
        for name in names:
            link = str(self._cluster.nodes[name].link)
            self._asking[name] = self._group.create_task(self._ask(name, link))

    async def go(self, name: str) -> None:
        """Ask a node no more; it has answered what it was asked when this returns."""
        await self._asking.pop(name)

    async def _ask(self, name: str, link: str) -> None:
        while name in self._asking:
            async with client(link, secret=None) as asking:
                decision = await asking.check("busy", PLENTY)
            self.answers[str(decision.source)] += 1
            await asyncio.sleep(PAUSE)


@asynccontextmanager
async def apps_of(cluster: Keepers) -> AsyncGenerator[Apps]:
    """Keep asking all nodes; in the end none of the checks was answered by the policy."""
    async with asyncio.TaskGroup() as group:
        apps = Apps(cluster, group)
        apps.come(*cluster.nodes)
        try:
            yield apps
        finally:
            for name in NAMES:
                await apps.go(name)
    assert apps.answers.keys() <= {"owner", "backup"}
    assert apps.answers.total() > 100


async def ask(cluster: Keepers, times: int) -> dict[str, int]:
    """Ask all nodes in turn about each key; return how often it was allowed."""
    return await cluster.admitted(KEYS, LIMIT, times, secret=None)


async def take_step(cluster: Keepers, apps: Apps, after: str, said: str) -> None:
    """Give each node its new secrets while it runs, and have all others meet it with theirs."""
    for at, name in enumerate(NAMES):
        cluster.tell(name, after)
        await cluster.says(name, said)
        other = NAMES[(at + 1) % len(NAMES)]
        await apps.go(other)
        await cluster.restart(other)
        apps.come(other)
        if at == 0:
            cluster.tell("apps", after)  # somewhere in between


async def test_a_secret_is_replaced_without_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of 10 an hour spent, three steps with nine restarts: the other half is left exactly.

    Each pair of nodes makes its links anew in each combination of before and after a step, while
    apps come and go at all nodes; none of their checks is answered by the policy.
    """
    monkeypatch.setenv("SIDEGATE_SECRET_FILE", str(tmp_path / "apps"))
    async with keepers(tmp_path, BEFORE) as cluster:
        cluster.tell("apps", BEFORE)
        assert await ask(cluster, SPENT) == dict.fromkeys(KEYS, SPENT)
        async with apps_of(cluster) as apps:
            for after, said in STEPS.items():
                await take_step(cluster, apps, after, said)
                assert await ask(cluster, 1) == dict.fromkeys(KEYS, 1)
        assert await cluster.overdue() == 0
        left = 10 - SPENT - len(STEPS)
        assert await ask(cluster, 100) == dict.fromkeys(KEYS, left)
        await the_old_secret_is_refused(cluster)
        await cluster.whole()


async def the_old_secret_is_refused(cluster: Keepers) -> None:
    """Neither a node nor an app gets in with what all others have given up."""
    async with client(str(cluster.nodes["n1"].link), secret="old") as late:
        assert (await late.check("busy", PLENTY)).source == "open"
    cluster.tell("late", "old")
    cluster.launch("late")  # it is never ready: all its seeds refuse it

    async def look() -> Mapping[str, Any]:
        try:
            return await cluster.look("late")
        except httpx2.TransportError as error:
            raise OSError("it doesn't listen yet") from error

    seen = await eventually_answered(
        look, lambda seen: [it["refusal"] for it in seen["strangers"]] == [REFUSED] * len(NAMES)
    )
    assert [node["name"] for node in seen["nodes"]] == ["late"]
    cluster.kill("late")
