"""A client that watches the rules of its sidecar, in loops and in threads."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from sidegate import BlockingClient, Client
from sidegate.buckets.decision import Source
from sidegate.client.rules.rules_copy import RulesCopy
from sidegate.protocol.messages import Forget
from sidegate.protocol.standing_messages import RulesPush, WatchRules
from sidegate.ruleset.ruleset import RuleSet, read_rules
from sidegate.testing import isolated
from sidegate_sidecar.process import Process
from tests.middleware.client.scripts.run import run
from tests.support.in_process.cluster import GENEROUS, cluster, config, eventually
from tests.support.in_process.older import older_puppet
from tests.support.in_process.puppets import Puppet, node_named
from tests.support.in_process.rules import many_rules, rules_of

FIVE, TEN = rules_of("5/minute"), rules_of("10/minute")
Log = pytest.LogCaptureFixture
AnyClient: TypeAlias = Client | BlockingClient


@asynccontextmanager
async def in_a_loop(sidecar: object, **options: Any) -> AsyncGenerator[AnyClient]:
    async with Client(str(sidecar), secret="", budget=GENEROUS, **options) as client:
        yield client


@asynccontextmanager
async def in_threads(sidecar: object, **options: Any) -> AsyncGenerator[AnyClient]:
    client = BlockingClient(str(sidecar), secret="", budget=GENEROUS, **options)
    try:
        yield client
    finally:
        await asyncio.to_thread(client.close)
        await eventually(lambda: not watching_threads())


def watching_threads() -> list[threading.Thread]:
    return [it for it in threading.enumerate() if it.name == "sidegate rules"]


either = pytest.mark.parametrize("asking", [in_a_loop, in_threads])


async def are(client: AnyClient, rules: RuleSet | None) -> None:
    """Wait until these are a client's rules."""
    await eventually(lambda: client.rules() == rules)


def warnings(log: Log, words: str) -> list[str]:
    found = [it.getMessage() for it in log.records if it.levelno >= logging.WARNING]
    return [it for it in found if words in it]


@either
async def test_rules_are_there_soon_after_they_are_wanted_and_as_they_change(
    asking: Callable[..., Any],
) -> None:
    async with cluster("n1") as (node,), asking(node.link) as client:
        node.sessions.rules.put(FIVE)
        assert client.rules() is None
        for rules in (FIVE, TEN, many_rules(), FIVE):
            node.sessions.rules.put(rules)
            await are(client, rules)


@either
async def test_who_does_not_want_them_is_told_nothing(asking: Callable[..., Any]) -> None:
    async with cluster("n1") as (node,), asking(node.link) as client:
        if isinstance(client, Client):
            await client.check("k", "5/minute")
        else:
            await asyncio.to_thread(client.check, "k", "5/minute")
        assert not node.sessions.rules._watching


@either
async def test_a_client_that_comes_back_asks_with_what_it_has(asking: Callable[..., Any]) -> None:
    """The sidecar restarts with the same rules, and then with others, at the same address."""
    started = Process(config("n1"))
    await started.start()
    address = str(started.link)
    async with asking(address) as client:
        try:
            started.sessions.rules.put(FIVE)
            await are(client, FIVE)
            before = client.rules()
            for rules in (FIVE, TEN):
                await started.stop()
                started = Process(config("n1", link=started.link))
                await started.start()
                started.sessions.rules.put(rules)
                watching = started.sessions.rules._watching
                await eventually(lambda: list(watching.values()) == [rules.digest])  # noqa: B023
                await are(client, rules)
                assert (client.rules() is before) == (rules is FIVE)
        finally:
            await started.stop()


@either
async def test_who_has_a_copy_asks_with_its_digest(
    asking: Callable[..., Any], tmp_path: Path
) -> None:
    RulesCopy(tmp_path / "copy").write(FIVE.digest, FIVE.encoded)
    puppet = Puppet(node_named("n2"))
    await puppet.start()
    async with asking(puppet.address) as client:
        client.watch_rules(tmp_path / "copy")
        assert client.rules() == FIVE
        assert await puppet.hear(WatchRules) == WatchRules(FIVE.digest)
    await puppet.stop()


@either
async def test_while_the_sidecar_is_away_its_rules_stay_in_force(
    asking: Callable[..., Any],
) -> None:
    async with cluster("n1") as (node,), asking(node.link) as client:
        node.sessions.rules.put(FIVE)
        await are(client, FIVE)
        await node.stop()
        await eventually(lambda: not node.sessions.open)
        assert client.rules() == FIVE


@either
async def test_a_sidecar_without_rules_is_said_and_ends_those_from_before(
    asking: Callable[..., Any], tmp_path: Path, caplog: Log
) -> None:
    async with cluster("n1") as (node,), asking(node.link) as client:
        client.watch_rules(tmp_path / "copy")
        node.sessions.rules.put(FIVE)
        await are(client, FIVE)
        await eventually((tmp_path / "copy").exists)
    async with cluster("n1") as (node,), asking(node.link) as client:
        client.watch_rules(tmp_path / "copy")
        assert client.rules() == FIVE  # that of the copy, until the sidecar says
        await are(client, None)
        await eventually(lambda: len(warnings(caplog, "the sidecar has no rules")) == 1)


@either
async def test_beside_an_older_sidecar_nothing_is_asked_and_that_is_said_once(
    asking: Callable[..., Any], caplog: Log
) -> None:
    async with older_puppet("n2") as other, asking(other.address) as client:
        assert client.rules() is None
        await eventually(lambda: warnings(caplog, "older version, which has no rules for apps"))
        assert client.rules() is None
        assert not [it for it in other.heard if isinstance(it, WatchRules)]
        assert not other.errors
    (line,) = warnings(caplog, "no rules")
    assert line.endswith("; what default= says applies")


@either
async def test_while_nothing_is_known_it_is_said_why_the_sidecar_cannot_be_had(
    asking: Callable[..., Any], caplog: Log
) -> None:
    """Once: nothing else says it, where nothing is checked before rules are there."""
    node = Process(config("n1"))
    link = node.link
    await node.start()
    await node.stop()
    async with asking(link) as client:
        assert client.rules() is None
        await eventually(lambda: warnings(caplog, "no rules from the sidecar: "))
        node = Process(config("n1", link=link))
        await node.start()
        node.sessions.rules.put(FIVE)
        await are(client, FIVE)
        await node.stop()
        await eventually(lambda: not node.sessions.open)
        assert client.rules() == FIVE
    (line,) = warnings(caplog, "no rules from the sidecar: ")
    assert "refused" in line or "Connect call failed" in line
    assert line.endswith("; what default= says applies")


@either
@pytest.mark.parametrize("mode", ["memory", "off"])
async def test_without_a_sidecar_there_are_none_and_that_is_said(
    asking: Callable[..., Any], mode: str, tmp_path: Path, caplog: Log
) -> None:
    """A copy isn't used either: nobody would ever say that it is old."""
    async with cluster("n1") as (node,), asking(node.link) as client:
        client.watch_rules(tmp_path / "copy")
        node.sessions.rules.put(FIVE)
        await are(client, FIVE)
        await eventually((tmp_path / "copy").exists)
    async with asking(mode) as client:
        client.watch_rules(tmp_path / "copy")
        assert [client.rules(), client.rules()] == [None, None]
    await eventually(lambda: not watching_threads())
    assert len(warnings(caplog, "no sidecar is asked, so there are no rules of one")) == 1


@either
async def test_in_a_test_that_is_isolated_nobody_is_dialled(asking: Callable[..., Any]) -> None:
    async with cluster("n1") as (node,), asking(node.link) as client:
        with isolated():
            assert client.rules() is None
        await eventually(lambda: not watching_threads())
        assert not node.sessions.rules._watching


@either
async def test_a_wrong_environment_leaves_the_copy(
    asking: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cluster("n1") as (node,), asking(node.link) as client:
        client.watch_rules(tmp_path / "copy")
        node.sessions.rules.put(FIVE)
        await are(client, FIVE)
        await eventually((tmp_path / "copy").exists)
    monkeypatch.setenv("SIDEGATE_SIDECAR", "nonsense")
    async with asking("") as client:
        client.watch_rules(tmp_path / "copy")
        assert client.rules() == FIVE
        await eventually(lambda: not watching_threads())


@either
async def test_only_the_first_may_name_the_copy(asking: Callable[..., Any]) -> None:
    async with asking("memory") as client:
        first = client.watch_rules()
        assert client.watch_rules() is first
        with pytest.raises(ValueError, match="rules_copy='a': expected none"):
            client.watch_rules("a")


@either
@pytest.mark.parametrize(
    ("follows", "source"), [(True, Source.CLOSED), (False, Source.OPEN)], ids=["as told", "as set"]
)
async def test_without_the_sidecar_checks_are_decided_as_its_rules_said(
    asking: Callable[..., Any], follows: bool, source: Source
) -> None:
    closed = read_rules({"version": 1, "rules": [], "defaults": {"on_unreachable": "closed"}})
    async with cluster("n1") as (node,), asking(node.link) as client:
        client.watch_rules(follows=follows)
        node.sessions.rules.put(closed)
        await are(client, closed)
        await node.stop()
        if isinstance(client, Client):
            decision = await client.check("k", "5/minute")
        else:
            decision = await asyncio.to_thread(client.check, "k", "5/minute")
        assert decision.source is source


async def test_two_loops_have_the_same_rules_and_one_goes_on_without_the_other() -> None:
    async with cluster("n1") as (node,), in_a_loop(node.link) as client:
        node.sessions.rules.put(FIVE)
        await are(client, FIVE)

        async def elsewhere() -> RuleSet | None:
            await are(client, FIVE)
            await eventually(lambda: len(node.sessions.rules._watching) == 2)
            return client.rules()

        assert await asyncio.to_thread(asyncio.run, elsewhere()) is client.rules()
        await eventually(lambda: len(node.sessions.rules._watching) == 1)
        node.sessions.rules.put(TEN)
        await are(client, TEN)


async def test_a_thread_hears_on_while_keys_are_reset_and_others_dial_anew() -> None:
    async with cluster("n1") as (node,), in_threads(node.link) as client:
        node.sessions.rules.put(FIVE)
        await are(client, FIVE)
        node.sessions.forget(Forget("k"))
        node.sessions.tell_ring()
        (before,) = node.sessions.rules._watching
        node.sessions.say_goodbye()
        await eventually(lambda: before not in node.sessions.open)
        node.sessions._is_leaving = False  # as another one in its place
        node.sessions.rules.put(TEN)
        await are(client, TEN)
        assert len(watching_threads()) == 1


async def test_a_fault_of_ours_is_logged_and_the_thread_dials_anew(
    caplog: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cluster("n1") as (node,), in_threads(node.link) as client:
        node.sessions.rules.put(FIVE)
        pushed = client.watch_rules()
        arrive, faults = pushed.arrive, [LookupError("a fault")]

        def arrives(push: RulesPush) -> bool:
            if faults:
                raise faults.pop()
            return arrive(push)

        monkeypatch.setattr(pushed, "arrive", arrives)
        await are(client, FIVE)
        assert len(warnings(caplog, "a fault in sidegate")) == 1


async def test_a_client_that_was_closed_watches_again_when_it_is_asked() -> None:
    async with cluster("n1") as (node,), in_threads(node.link) as client:
        node.sessions.rules.put(FIVE)
        await are(client, FIVE)
        await asyncio.to_thread(client.close)
        await eventually(lambda: not watching_threads())
        node.sessions.rules.put(TEN)
        await are(client, TEN)


async def test_after_a_fork_parent_and_child_both_hear_of_changes() -> None:
    async with cluster("n1") as (node,):
        node.sessions.rules.put(FIVE)
        ran = asyncio.create_task(asyncio.to_thread(run, "in_rules.py", str(node.link), "fork"))
        await eventually(lambda: len(node.sessions.rules._watching) == 2 or ran.done())
        node.sessions.rules.put(TEN)
        assert sorted(await ran) == ["child 10/minute", "parent 10/minute"]


async def test_under_gevent_greenlets_hear_of_changes() -> None:
    async with cluster("n1") as (node,):
        node.sessions.rules.put(FIVE)
        ran = asyncio.create_task(asyncio.to_thread(run, "in_rules.py", str(node.link), "gevent"))
        await eventually(lambda: node.sessions.rules._watching or ran.done())
        node.sessions.rules.put(TEN)
        assert await ran == ["greenlet 10/minute"]
