"""Many keys over sidecars as processes: listed and reset, while nodes are killed, come and go."""

import asyncio
import json
from typing import Final

from sidegate.client.client import Client
from sidegate_sidecar.lab.waiting import until
from tests.support.in_process.cluster import GENEROUS, client, clients
from tests.support.processes.commands import sidegate
from tests.support.processes.fleet import Fleet, fleet

LIMIT: Final = "10/hour"
NAMES: Final = ("n1", "n2", "n3")
KEYS: Final = [f"login:{at}" for at in range(60)]
LOOK_EVERY: Final = 0.05  # seconds


async def spend(asking: Client, keys: list[str], cost: int = 5) -> None:
    """Put keys in debt."""
    for start in range(0, len(keys), 2_000):
        some = keys[start : start + 2_000]
        await asyncio.gather(*(asking.check(key, LIMIT, cost) for key in some))


async def in_debt(cluster: Fleet, prefix: str = "login:") -> list[set[str]]:
    """Return the keys in debt as each node that runs lists them."""
    async with clients(*(str(node.link) for node in cluster.nodes.values())) as asking:
        found = await asyncio.gather(*(it.keys(prefix, most=1_000) for it in asking))
    return [{key.key for key in it.keys} for it in found]


async def test_a_node_that_is_killed_is_missing_until_its_backups_tell_its_keys() -> None:
    async with fleet(*NAMES) as cluster, client(str(cluster.nodes["n1"].link)) as asking:
        await spend(asking, KEYS)
        ring = cluster.ring
        found = await asking.keys("login:", most=1_000)
        assert {key.key: key.node for key in found.keys} == {key: ring.owner(key) for key in KEYS}
        assert (sorted(found.answered), found.missing, found.more) == ([*NAMES], [], False)

        async def are_backed_up() -> bool:
            looks = [await cluster.look(name) for name in NAMES]
            return bool(sum(it["keys_backed_up"] for it in looks) == len(KEYS))

        assert await until(are_backed_up, within=GENEROUS, look_every=LOOK_EVERY)
        cluster.kill("n2")
        found = await asking.keys("login:", most=1_000)
        assert (sorted(found.answered), found.missing) == (["n1", "n3"], ["n2"])
        assert {key.key for key in found.keys} == {key for key in KEYS if ring.owner(key) != "n2"}
        done = await asking.reset_prefix("nobody:")
        assert (done.total, done.missing) == (0, ["n2"])

        async def is_whole() -> bool:
            found = await asking.keys("login:", most=1_000)
            return not found.missing and {key.key for key in found.keys} == {*KEYS}

        assert await until(is_whole, within=GENEROUS, look_every=LOOK_EVERY)


async def test_a_reset_of_many_during_handovers_lasts() -> None:
    """One node joins and another leaves while they are reset: no copy brings anything back."""
    keys = [f"login:{at}" for at in range(20_000)]
    async with fleet("n1", "n2") as cluster:
        async with client(str(cluster.nodes["n1"].link)) as asking:
            await spend(asking, keys)
            cluster.launch("n3")
            done = await asking.reset_prefix("login:")
            assert done.total > 0
            await cluster.ready("n3")
            await cluster.whole()
            assert await in_debt(cluster) == [set()] * 3
            await spend(asking, [f"api:{at}" for at in range(20_000)])
        leaving = asyncio.create_task(cluster.stop("n1"))
        async with client(str(cluster.nodes["n3"].link)) as asking:
            assert (await asking.reset_prefix("api:")).total > 0
            await leaving
            await cluster.whole()
            assert await in_debt(cluster, "") == [set()] * 2
            await spend(asking, ["api:new"])
            assert await in_debt(cluster, "") == [{"api:new"}] * 2


async def test_the_command_lists_and_resets_over_all_nodes() -> None:
    async with fleet("n1", "n2") as cluster, client(str(cluster.nodes["n1"].link)) as asking:
        await spend(asking, KEYS)
        await asking.check("search:7", LIMIT)
        listed = json.loads(await run(cluster, "keys", "login:", "--max", "1000", "--json"))
        assert {it["key"] for it in listed["keys"]} == {*KEYS}
        found = json.loads(await run(cluster, "peek", "--identity", "7", "--json"))
        assert [it["key"] for it in found["keys"]] == ["login:7", "search:7"]
        done = json.loads(await run(cluster, "reset", "--prefix", "login:", "--yes", "--json"))
        assert done["forgotten"] == len(KEYS)
        assert done["nodes"] == {"answered": 2, "of": 2, "missing": []}
        assert await in_debt(cluster, "") == [{"search:7"}] * 2


async def test_what_an_app_denies_from_memory_is_in_the_report_of_any_node() -> None:
    """Counted at the owner of the key, though the app is another node's."""
    async with fleet("n1", "n2") as cluster:
        ring = cluster.ring
        key = next(key for key in KEYS if ring.owner(key) == "n2")
        async with client(str(cluster.nodes["n1"].link), remember_denials=True) as asking:
            decided = [await asking.check(key, "1/day") for _ in range(100)]
            remembered = sum(it.source == "remembered" for it in decided)
            assert remembered > 50
            for name in ("n1", "n2"):

                async def is_told(name: str = name) -> bool:
                    url = f"{cluster.nodes[name].url}/v1/report?by=key&rule=login"
                    rows = (await cluster.http.get(url)).json()["rows"]
                    found = [(it["key"], it["node"], it["asked"], it["denied"]) for it in rows]
                    return found == [(key, "n2", 100, 99)]

                assert await until(is_told, within=GENEROUS, look_every=LOOK_EVERY)


async def run(cluster: Fleet, *arguments: str) -> str:
    """Run the command against the second node; return what it printed."""
    http = cluster.nodes["n2"].url.removeprefix("http://")
    code, out, err = await sidegate(*arguments, SIDEGATE_HTTP=http)
    assert code == 0, err
    return out
