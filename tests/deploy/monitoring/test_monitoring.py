"""Real sidecars under a real Prometheus: panels have data, a deploy is silent, a death is not.

Each minute of the rules is three seconds here, and scrapes come as much more often. What sidecars
do takes as long as ever, so a deploy has twenty times the chance to raise an alert.
"""

from pathlib import Path
from typing import Any, Final

from sidegate_sidecar.lab.waiting import until
from tests.deploy.monitoring.alerts import alerts, sped_up
from tests.deploy.monitoring.dashboard import filled, panels
from tests.deploy.monitoring.exported import all_fronts
from tests.deploy.monitoring.prometheus import WINDOW, Prometheus, prometheus, tool
from tests.support.in_process.cluster import eventually_answered
from tests.support.processes.crowd import Crowd, crowd
from tests.support.processes.fleet import Fleet, fleet
from tests.support.processes.services import PATIENCE

NAMES: Final = ("n1", "n2", "n3")
KEYS: Final = [f"k{at}" for at in range(20)]
LIMIT: Final = "60/minute"  # less than is asked for
DOWN: Final = "SidegateNodeDown"
LOOK_EVERY: Final = 0.2  # seconds between two looks at all panels
PACE: Final = 0.001  # seconds between two checks of an app: so that the machine can do more


def targets(cluster: Fleet) -> list[str]:
    """Return where the sidecars are scraped."""
    return [str(node.http) for node in cluster.nodes.values()]


async def empty(server: Prometheus) -> list[str]:
    """Return the queries of panels without data, or with a number that is none."""
    bad: list[str] = []
    for panel in panels():
        for query in panel.queries:
            found = await server.query(filled(query, WINDOW))
            if not found or any(it["value"][1] == "NaN" for it in found):
                bad.append(f"{panel.title}: {query}")
    return bad


async def have_data(server: Prometheus) -> None:
    """Wait until no panel is empty; fail with those that stay so."""

    async def look() -> bool:
        bad[:] = await empty(server)
        return not bad

    bad: list[str] = []
    assert await until(look, within=PATIENCE, look_every=LOOK_EVERY), bad


async def replace_each(cluster: Fleet, apps: Crowd, server: Prometheus) -> None:
    """Start a new sidecar and end an old one, until all are new. Targets are what runs."""
    for old in NAMES:
        new = f"{old}.new"
        await cluster.start(new)
        server.scrape(targets(cluster))
        await apps.come(new)
        apps.go(old)
        await cluster.stop(old)
        await apps.part(old)
        server.scrape(targets(cluster))
        await cluster.whole()


async def fired(server: Prometheus) -> set[Any]:
    """Return the names of all alerts that have fired so far."""
    found = await server.query('count_over_time(ALERTS{alertstate="firing"}[1h])')
    return {it["metric"]["alertname"] for it in found}


async def scraped(server: Prometheus) -> set[str]:
    """Return the sidecars that Prometheus has of late got something from."""
    return {it["metric"]["instance"] for it in await server.query("sidegate_build_info")}


async def test_what_an_operator_sees(tmp_path: Path) -> None:
    """No panel stays empty, no alert fires in a deploy, and one does when a sidecar is killed."""
    tool("prometheus")
    async with (
        fleet(*NAMES, budget=1.0, **all_fronts(tmp_path)) as cluster,
        prometheus(tmp_path, sped_up()) as server,
        crowd(cluster, KEYS, LIMIT, size=len(NAMES), budget=PATIENCE, pace=PACE) as apps,
    ):
        server.scrape(targets(cluster))
        await have_data(server)
        await replace_each(cluster, apps, server)
        new = targets(cluster)
        await eventually_answered(lambda: scraped(server), lambda it: it == {*new}, PATIENCE)
        await have_data(server)
        assert await fired(server) == set()
        cluster.kill("n1.new")
        firing = await eventually_answered(server.firing, lambda it: DOWN in it, PATIENCE)
    told = firing[DOWN]
    assert told["labels"]["instance"] == new[0]
    assert told["annotations"]["summary"] == f"Sidecar {new[0]} doesn't answer."
    assert told["annotations"]["runbook"] == alerts()[DOWN]["annotations"]["runbook"]
