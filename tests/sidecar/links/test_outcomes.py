"""What apps decided alone: they tell their sidecar, which exports it."""

import msgspec
import pytest

from sidegate.protocol.messages import Ping, Pong
from sidegate.protocol.outcome_messages import OUTCOMES, Outcomes
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import cluster, witness
from tests.support.in_process.http_client import http
from tests.support.in_process.puppets import APP, bare, frame, node_named


async def exported(node: Process) -> dict[str, str]:
    """Return the series of outcomes, by label, as a scrape shows them."""
    async with http(node) as asking:
        lines = (await asking.get("/metrics")).text.splitlines()
    start = "sidegate_app_outcomes_total{outcome="
    series = [line.removeprefix(start).split("} ") for line in lines if line.startswith(start)]
    return {label.strip('"'): value for label, value in series}


async def test_all_series_are_there_from_the_start() -> None:
    """Before anything happened each outcome is 0, so that the first time is a change."""
    async with cluster("n1") as (node,):
        assert await exported(node) == dict.fromkeys(OUTCOMES, "0.0")


async def test_they_add_up() -> None:
    """What apps say is added, over all of them; nothing is answered."""
    async with cluster("n1") as (node,), bare(node, APP) as one, bare(node, APP) as other:
        await one.send(Outcomes([("open", 3), ("key-error", 1), ("open", 4)]), Ping(1))
        assert await one.next() == Pong(1)
        await other.send(Outcomes([("local", 2), ("closed", 0)]), Outcomes([]), Ping(2))
        await other.send(Outcomes([("open", 2**40)]), Ping(3))
        assert [await other.next(), await other.next()] == [Pong(2), Pong(3)]
        counted = {"open": float(7 + 2**40), "closed": 0.0, "local": 2.0, "key-error": 1.0}
        assert {name: float(text) for name, text in (await exported(node)).items()} == counted


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ([["open", 1], ["opne", 1]], "outcome 'opne' is not one of"),
        ([["x" * 4_000, 1]], "outcome 'xxxxxxxxxxxxxxxxxxxx' is not one of"),
        ([["open", 1], ["open", -1]], "$[1]"),
        ([["open", 1.5]], "$[1]"),
        ([["open", 1]] * 17, "$[1]"),
        ([["open"]], "$[1]"),
    ],
)
async def test_nonsense_counts_nothing(counts: object, text: str) -> None:
    """It is refused as a whole, with what is wrong with it."""
    async with cluster("n1") as (node,), witness(node), bare(node, APP) as app:
        await app.send(frame(msgspec.msgpack.encode([18, counts])))
        error = await app.error()
        assert (error.code, text in error.text) == ("bad-message", True), error
        assert set(node.node.counts.app_outcomes.values()) == {0}


async def test_a_node_has_none() -> None:
    """Nodes answer by their own policy, and count it themselves."""
    async with cluster("n1") as (node,), bare(node, node_named("n2", "0.0.0.0:9")) as peer:
        await peer.send(Outcomes([("open", 1)]))
        error = await peer.error()
        assert (error.code, error.text) == ("bad-message", "a outcomes has no place here")
    async with cluster("n1") as (node,), bare(node, node_named("n2", "0.0.0.0:9")) as peer:
        await peer.send(Outcomes([("open", 1)], [], 1))
        assert "counts are those of an app" in (await peer.error()).text
        assert set(node.node.counts.app_outcomes.values()) == {0}
