"""Questions beside checks: a few at a time, and too many of them cost nobody else the link."""

import asyncio

import pytest

from sidegate.protocol.key_messages import KeyOrder, KeysBy, ListKeys
from sidegate.protocol.messages import Error, Holdings, Inspect, Ping, Pong
from sidegate.protocol.report_messages import ReportQuery
from sidegate_sidecar.links import answering
from tests.support.in_process.cluster import cluster, key_of
from tests.support.in_process.puppets import APP, bare

LISTING = ListKeys(7, 0, 250_000, KeysBy.PREFIX, "", KeyOrder.DEBT, 5)
REPORT = ReportQuery(7, 0, 60, "", "key", 5)


async def test_what_a_node_is_asked_by_many_does_not_cost_it_its_links() -> None:
    """Over HTTP say, at once: the other node doesn't take it for a flood."""
    async with cluster("n1", "n2") as (one, two):
        key = key_of("n2", one.cluster.ring)
        await asyncio.gather(
            *(one.sessions.keys.first(LISTING) for _ in range(300)),
            *(one.sessions.gathering.report(REPORT) for _ in range(300)),
            *(one.node.inspect(key, reset=False) for _ in range(300)),
        )
        assert not two.node.counts.turned_away
        assert one.peers.is_up("n2")


@pytest.mark.parametrize("asked", [LISTING, REPORT, Inspect(7, 0, "k")])
async def test_an_app_that_asks_for_more_than_one_may_is_closed(
    asked: ListKeys | ReportQuery | Inspect,
) -> None:
    async with cluster("n1") as (one,), bare(one, APP) as app, bare(one, APP) as other:
        await app.send(*[asked] * 251)
        assert (await app.error()).code == "busy"
        await other.send(asked)
        assert not isinstance(await other.next(), Error)


async def test_who_asks_when_all_together_ask_too_much_keeps_its_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And gets no answer to that."""
    async with cluster("n1") as (one,), bare(one, APP) as app:
        with monkeypatch.context() as patched:
            patched.setattr(answering, "MAX_ASKED", 0)
            await app.send(LISTING, REPORT, Inspect(7, 0, "k"), Ping(8))
            assert await app.next() == Pong(8)
        await app.send(Inspect(9, 0, "k"))
        answer = await app.next()
        assert isinstance(answer, Holdings)
        assert answer.id == 9
