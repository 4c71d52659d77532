"""What a sidecar exports: the labels of every sample, and their values, once all have happened."""

import asyncio
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

from prometheus_client.parser import text_string_to_metric_families as parse

from sidegate.link.health import LinkState
from sidegate_sidecar.process import Process
from tests.deploy.monitoring.promql import read
from tests.support.in_process.cluster import LOOPBACK, eventually, key_of
from tests.support.in_process.http_client import beside, check, http
from tests.support.in_process.puppets import bare, puppet

Labels: TypeAlias = dict[str, set[str]]

BY_PROMETHEUS: Final[dict[str, Labels]] = {
    "up": {},
    "ALERTS": {"alertname": set(), "alertstate": {"firing", "pending"}, "severity": set()},
}
"""What Prometheus makes itself."""

TARGETS: Final = {"job", "namespace", "pod", "instance"}
CODES: Final = "code"  # the only label whose values are not all there from the beginning
"""Labels that Prometheus puts on what it scrapes."""


@cache
def exported() -> dict[str, Labels]:
    """Return the samples by name: the values of each of their labels."""
    found: dict[str, Labels] = {}
    for family in parse(asyncio.run(_scrape())):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


async def _scrape() -> str:
    """Have everything happen to a sidecar that leaves a trace, and return what it exports."""
    with TemporaryDirectory() as folder:
        fronts = all_fronts(Path(folder))
        places = dict.fromkeys(("grpc", "auth", "resp"), LOOPBACK)
        files = {"ratelimit_yaml": (str(fronts["ratelimit_yaml"]),), "rules": str(fronts["rules"])}
        return await _scrape_with({**places, **files})


def all_fronts(folder: Path) -> dict[str, Any]:
    """Return the options that switch all fronts on, and write the files that they need."""
    limits, rules = folder / "limits.yaml", folder / "file-of-rules.yaml"
    limits.write_text("domain: edge")
    rules.write_text("version: 1\nrules: [{name: api, limits: 5/minute}]\n")
    places = dict.fromkeys(("grpc", "auth", "resp"), "127.0.0.1:0")
    return {**places, "ratelimit_yaml": limits, "rules": rules}


async def _scrape_with(fronts: dict[str, Any]) -> str:
    options = {"budget": 0.02, **fronts}
    async with puppet() as other, beside(other, **options) as node, http(node) as client:
        for owner in ("n1", "puppet"):  # the latter answers nothing
            await check(client, key_of(owner, node.cluster.ring))
        await _turn_away(node)
        await other.stop()
        await eventually(lambda: node.peers.by_name["puppet"].state is not LinkState.UP)
        answer = await client.get("/metrics")
    assert answer.is_success
    return answer.text


async def _turn_away(node: Process) -> None:
    """Have somebody talk nonsense to it."""
    async with bare(node) as rude:
        await rude.send(b"\xff" * 100)
        await rude.error()
    await eventually(lambda: node.node.counts.turned_away)


def require_exported(text: str) -> None:
    """Fail if a query asks for a metric, a label or a value that there can't be."""
    there = {**exported(), **BY_PROMETHEUS}
    query = read(text)
    assert query.selectors
    usable = TARGETS | query.made
    for selector in query.selectors:
        labels = there[selector.metric]
        usable |= labels.keys()
        for matcher in selector.matchers:
            assert matcher.label in labels.keys() | TARGETS, f"{matcher} of {selector.metric}"
            if labels.get(matcher.label) and matcher.label != CODES:
                assert set(matcher.named) <= labels[matcher.label], selector
    assert query.labels <= usable, text
