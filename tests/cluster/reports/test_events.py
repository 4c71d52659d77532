"""Events of three apps beside three sidecars, all as processes: every sidecar says the same."""

import asyncio
import sys
from collections import Counter
from typing import Any, Final

from tests.support.in_process.cluster import GENEROUS, eventually_answered
from tests.support.processes.fleet import Fleet, fleet

NAMES: Final = ("a", "b", "c")
COUNTRIES: Final = ("DE", "FR", "JP", "US", "")
TIMES: Final = 900  # events of each app

APP: Final = f"""
import asyncio, sys
from sidegate import BlockingClient, Client

COUNTRIES = {COUNTRIES!r}

async def in_a_loop(sidecar):
    async with Client(sidecar, secret="", budget={GENEROUS}) as client:
        for at in range({TIMES}):
            client.record("signup", COUNTRIES[at * at % 5], at % 3 + 0.5)
            if at % 100 == 0:
                await client.check("api:k", "1000/second")

def in_threads(sidecar):
    with BlockingClient(sidecar, secret="", budget={GENEROUS}) as client:
        for at in range({TIMES}):
            client.record("signup", COUNTRIES[at * at % 5], at % 3 + 0.5)

if sys.argv[2] == "threads":
    in_threads(sys.argv[1])
else:
    asyncio.run(in_a_loop(sys.argv[1]))
"""


async def run_app(sidecar: str, how: str) -> None:
    """Run an app that records, to its end."""
    app = await asyncio.create_subprocess_exec(sys.executable, "-c", APP, sidecar, how)
    assert await app.wait() == 0


async def reported(cluster: Fleet, name: str, **asked: str) -> dict[str, Any]:
    """Return what a node says for all."""
    asked = {"event": "signup", "last": "10m", **asked}
    answer = await cluster.http.get(f"{cluster.nodes[name].url}/v1/report", params=asked)
    return dict(answer.raise_for_status().json())


async def test_sums_over_all_nodes_are_what_all_apps_have_recorded() -> None:
    counts, sums = Counter[str](), Counter[str]()
    for at in range(TIMES):
        counts[COUNTRIES[at * at % 5]] += 3
        sums[COUNTRIES[at * at % 5]] += 3 * (at % 3) * 2 + 3  # halves
    async with fleet(*NAMES) as cluster:
        hows = ("loop", "threads", "loop")
        links = [str(node.link) for node in cluster.nodes.values()]
        await asyncio.gather(*map(run_app, links, hows))
        for name in NAMES:

            async def report(name: str = name) -> dict[str, Any]:
                return await reported(cluster, name)

            answer = await eventually_answered(
                report, lambda it: bool(it["totals"]["count"] >= 3 * TIMES), GENEROUS
            )
            assert answer["nodes"] == {"answered": 3, "of": 3, "missing": []}
            assert answer["totals"] == {"count": 3 * TIMES, "sum": sums.total() / 2}
            assert {row["key"]: row["count"] for row in answer["rows"]} == counts
            assert {row["key"]: row["sum"] * 2 for row in answer["rows"]} == sums
            assert answer["rows"][0]["key"] == max(sums, key=lambda key: (sums[key], counts[key]))
            for row in answer["rows"]:
                assert row["node"] == cluster.ring.owner(f"signup:{row['key']}")
            line = await reported(cluster, name, by="time")
            assert sum(row["count"] for row in line["rows"]) == 3 * TIMES
