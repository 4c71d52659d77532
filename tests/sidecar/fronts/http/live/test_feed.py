"""What an event has, asked of real nodes in this process."""

import json
from typing import Any

import pytest

from sidegate_sidecar.fronts.http.live import counted as counted_module
from sidegate_sidecar.fronts.http.live.feed import Feed
from sidegate_sidecar.process import Process
from sidegate_sidecar.reports.shown_keys import ShownKeys
from tests.support.in_process.cluster import clients, cluster


async def event_of(feed: Feed) -> dict[str, Any]:
    return dict(json.loads(await feed.event()))


async def deny(*nodes: Process, key: str = "login:a", times: int = 5) -> None:
    """Have a key denied that often, asked at all of these in turn, and once allowed."""
    async with clients(*nodes) as asking:
        for at in range(times + 1):
            await asking[at % len(asking)].check(key, "1/hour")


async def test_all_nodes_are_asked_whichever_has_counted() -> None:
    """Keys, sources, rates and lines are those of all, from any of them."""
    async with cluster("n1", "n2", "n3") as nodes:
        await deny(*nodes, key="login:a", times=5)
        await deny(*nodes, key="api:b", times=3)
        for node in nodes:
            told = await event_of(Feed(node))
            assert (told["name"], told["keys"]) == (node.config.name, "plain")
            assert told["nodes"] == {"answered": 3, "of": 3, "missing": []}
            found = [(it["key"], it["rule"], it["asked"], it["denied"]) for it in told["denied"]]
            assert found == [("login:a", "login", 6, 5), ("api:b", "api", 4, 3)]
            assert {it["node"] for it in told["denied"]} <= {it.config.name for it in nodes}
            assert told["error"] == 0
            assert 60 <= told["time"] - told["since"] <= 120
            rates = told["rates"]
            assert (rates["allowed"], rates["denied"]) == (0.2, 0.8)
            (source,) = told["sources"]
            assert (source["source"], source["allowed"], source["denied"]) == ("owner", 2, 8)
            lines = {it["rule"]: it for it in told["rules"]}
            assert list(lines) == ["api", "login"]
            assert sum(denied for _, _, denied in lines["login"]["points"]) == 5
            assert lines["login"]["denied"] == 0.5


async def test_a_node_that_is_gone_is_missing() -> None:
    """It is named, and what the others counted is still told."""
    async with cluster("n1", "n2") as (one, two):
        await deny(one)
        feed = Feed(one)
        assert (await event_of(feed))["nodes"]["answered"] == 2
        await two.stop()
        told = await event_of(feed)
        assert told["nodes"] == {"answered": 1, "of": 2, "missing": ["n2"]}


async def test_without_reports_nobody_is_asked() -> None:
    """The ring is told all the same."""
    async with cluster("n1", "n2", report_rules=0) as (one, _):
        await deny(one)
        told = await event_of(Feed(one))
        assert told["rates"] is None
        assert (told["denied"], told["sources"], told["rules"]) == ([], [], [])
        assert told["nodes"] == {"answered": 2, "of": 2, "missing": []}
        assert len(told["ring"]["nodes"]) == 2


async def test_keys_are_shown_as_the_node_shows_them() -> None:
    async with cluster("n1", report_keys=ShownKeys.MASKED) as (one,):
        await deny(one, key="login:customer-7")
        told = await event_of(Feed(one))
        assert told["keys"] == "masked"
        assert [it["key"] for it in told["denied"]] == ["login:cus…"]
        assert [it["rule"] for it in told["denied"]] == ["login"]


async def test_only_so_many_rules_have_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are denied most; the others are counted."""
    monkeypatch.setattr(counted_module, "MAX_RULES", 2)
    async with cluster("n1") as (one,):
        for at in range(4):
            await deny(one, key=f"rule-{at}:a", times=at)
        told = await event_of(Feed(one))
        assert [it["rule"] for it in told["rules"]] == ["rule-2", "rule-3"]
        assert told["more_rules"] == 2


async def test_lines_go_on_from_event_to_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that is new gets a line when the rules are chosen the next time."""
    async with cluster("n1") as (one,):
        feed = Feed(one)
        await deny(one, key="a:x", times=2)
        assert [it["rule"] for it in (await event_of(feed))["rules"]] == ["a"]
        await deny(one, key="b:x", times=2)
        await deny(one, key="a:x", times=1)
        told = await event_of(feed)
        assert [it["rule"] for it in told["rules"]] == ["a"]
        assert sum(denied for _, _, denied in told["rules"][0]["points"]) == 4
        monkeypatch.setattr(counted_module, "CHOOSE_EVERY", 0.0)
        assert [it["rule"] for it in (await event_of(feed))["rules"]] == ["a", "b"]
