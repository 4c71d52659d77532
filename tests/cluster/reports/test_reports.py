"""Reports of three sidecars as processes: who is hammered by their apps, and who is missing."""

import asyncio
import json
from typing import Any, Final

from tests.support.in_process.cluster import GENEROUS, eventually_answered
from tests.support.processes.commands import sidegate
from tests.support.processes.fleet import Fleet, fleet

NAMES: Final = ("a", "b", "c")
LIMIT: Final = "20/hour"
KEYS: Final = [f"api:customer-{at}" for at in range(8)]
HAMMERED: Final = ["api:hammer", "api:anvil"]
OFTEN: Final = 700  # times by each app: that of an anvil is a little less


async def ask_all(cluster: Fleet) -> dict[str, tuple[int, int]]:
    """Have each app ask; return how often each key was asked about, and denied."""
    wanted = [*KEYS * 5, *["api:hammer"] * OFTEN, *["api:anvil"] * (OFTEN - 50)]
    async with cluster.asking() as apps:
        decisions = await asyncio.gather(*(app.check(key, LIMIT) for app in apps for key in wanted))
    counts: dict[str, tuple[int, int]] = {}
    for key, decision in zip(wanted * len(apps), decisions, strict=True):
        asked, denied = counts.get(key, (0, 0))
        counts[key] = asked + 1, denied + (not decision.allowed)
    return counts


async def reported(cluster: Fleet, name: str, **asked: str) -> dict[str, Any]:
    """Return what a node says for all."""
    answer = await cluster.http.get(f"{cluster.nodes[name].url}/v1/report", params=asked)
    return dict(answer.raise_for_status().json())


async def test_who_is_hammered_is_named_first_from_any_node() -> None:
    """By the API and by the command, with counts within the error that they state."""
    async with fleet(*NAMES) as cluster:
        counts = await ask_all(cluster)
        for name in NAMES:
            report = await reported(cluster, name)
            _, out, _ = await sidegate("top", "--json", SIDEGATE_HTTP=str(cluster.nodes[name].http))
            for answer in (report, json.loads(out)):
                assert answer["nodes"] == {"answered": 3, "of": 3, "missing": []}
                assert [row["key"] for row in answer["rows"][:2]] == HAMMERED
                assert {row["key"] for row in answer["rows"]} == counts.keys()
                for row in answer["rows"]:
                    asked, denied = counts[row["key"]]
                    assert row["asked"] - row["asked_error"] <= asked <= row["asked"]
                    assert row["denied"] - row["denied_error"] <= denied <= row["denied"]
                    assert row["asked_error"] <= answer["error"]
                    assert row["node"] == cluster.ring.owner(row["key"])
            assert report["totals"]["denied"] == sum(denied for _, denied in counts.values())
            allowed = sum(asked - denied for asked, denied in counts.values())
            assert report["totals"]["allowed"] == allowed


async def test_a_node_that_was_killed_is_missing() -> None:
    """At once, and while it is remembered as dead; those that are left say what they have."""
    async with fleet(*NAMES) as cluster:
        await ask_all(cluster)
        lost = {key for key in (*KEYS, *HAMMERED) if cluster.ring.owner(key) == "c"}
        cluster.kill("c")
        at_once = await reported(cluster, "a")
        await cluster.whole()
        later = await reported(cluster, "b")
        for answer in (at_once, later):
            assert answer["nodes"] == {"answered": 2, "of": 3, "missing": ["c"]}
            assert {row["key"] for row in answer["rows"]} == {*KEYS, *HAMMERED} - lost


async def test_nothing_is_counted_twice_after_a_roll() -> None:
    """Each node is replaced while the apps ask: what a node has counted goes with it."""
    async with fleet(*NAMES) as cluster:
        before = await ask_all(cluster)
        for old, new in zip(NAMES, "def", strict=True):
            await cluster.start(new)
            await cluster.stop(old)
        await cluster.whole()
        empty = await reported(cluster, "d")
        after = await ask_all(cluster)

        async def report() -> dict[str, Any]:
            return await reported(cluster, "e")

        answer = await eventually_answered(
            report, lambda it: it["nodes"] == {"answered": 3, "of": 3, "missing": []}, GENEROUS
        )
    assert sum(empty["totals"].values()) == 0
    assert before.keys() == after.keys()
    assert {row["key"]: (row["asked"], row["denied"]) for row in answer["rows"]} == after
