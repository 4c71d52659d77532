"""How nodes stand: asked of each other, by nobody else, and never of one that is too old for it."""

from sidegate.protocol.messages import Error
from sidegate.protocol.standing_messages import StandingQuery
from sidegate_sidecar.fronts.http.live.feed import Feed
from sidegate_sidecar.fronts.http.live.standings import standings
from tests.sidecar.fronts.http.live.test_feed import event_of
from tests.support.in_process.cluster import cluster, eventually
from tests.support.in_process.http_client import beside
from tests.support.in_process.puppets import bare, puppet


async def test_each_node_says_its_own_stage() -> None:
    """Any of them shows that of all."""
    async with cluster("n1", "n2") as (one, two):
        stood = await standings(one, ["n2", "unknown"])
        assert {name: it.stage for name, it in stood.items()} == {"n1": "member", "n2": "member"}
        assert {it.handed for it in stood.values()} == {0}
        await two.leave()
        nodes = {it["name"]: it for it in (await event_of(Feed(one)))["ring"]["nodes"]}
        assert (nodes["n1"]["stage"], nodes["n1"]["share"]) == ("member", 1.0)
        assert (nodes["n2"]["stage"], nodes["n2"]["owner"]) == ("leaf", False)


async def test_an_app_is_not_told() -> None:
    async with cluster("n1") as (one,), bare(one) as app:
        await app.shake()
        await app.send(StandingQuery(1))
        error = await app.error()
        assert isinstance(error, Error)
        assert error.code == "bad-message"


async def test_who_does_not_answer_a_report_is_not_asked() -> None:
    """Its stage isn't known then; it is missing."""
    async with puppet() as other, beside(other) as node:
        await eventually(lambda: node.peers.is_up("puppet"))
        told = await event_of(Feed(node))
        assert told["nodes"]["missing"] == ["puppet"]
        stages = {it["name"]: it["stage"] for it in told["ring"]["nodes"]}
        assert stages == {"n1": "member", "puppet": ""}
        assert not any(isinstance(it, StandingQuery) for it in other.heard)
