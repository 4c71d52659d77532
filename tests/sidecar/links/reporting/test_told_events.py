"""Events that apps tell: counted by key, where that key is owned, in a space of their own."""

import msgspec
import pytest

from sidegate.protocol.messages import Ping, Pong
from sidegate.protocol.report_messages import EventQuery, Events, ReportQuery
from sidegate_sidecar.lab.waiting import until
from sidegate_sidecar.links.reporting.told_events import EVERY, event_key
from sidegate_sidecar.process import Process
from tests.sidecar.node.beside_puppets import beside_a_puppet
from tests.support.in_process.cluster import GENEROUS, cluster, config, eventually, key_of
from tests.support.in_process.older import older_puppet
from tests.support.in_process.puppets import APP, Bare, bare, frame


async def by_key(node: Process, event: str = "signup") -> list[tuple[str, str, int, int]]:
    """Return key, node, count and sum of each key of an event, as a report says."""
    answer = await node.sessions.gathering.report(EventQuery(0, 0, 300, event, "key", 20))
    return [(key, name, sums[0], sums[2]) for key, name, sums in answer.rows]


async def totals(node: Process, event: str = "") -> tuple[int, int]:
    """Return how often an event came, and its sum."""
    answer = await node.sessions.gathering.report(EventQuery(0, 0, 300, event, "node", 20))
    return answer.totals[0], answer.totals[4]


async def say(app: Bare, *rows: tuple[str, str | None, int, int], hops: int = 0) -> None:
    """Tell events, and wait until they are read."""
    await app.send(Events([*rows], hops), Ping(1))
    assert await app.next() == Pong(1)


def key_at(node: Process, owner: str) -> str:
    """Return a key of a signup that this node owns."""
    return key_of(owner, node.cluster.ring, "signup:").partition(":")[2]


async def test_they_are_counted_at_the_owner_of_each_key() -> None:
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as app:
        mine, its = key_at(nodes[0], "n1"), key_at(nodes[0], "n2")
        rows = [("signup", mine, 3, 30), ("signup", its, 2, 50), ("signup", None, 5, 5)]
        await say(app, *rows)
        await say(app, ("signup", its, 1, 0), ("visit", "", 1, 1))

        async def are_counted() -> bool:
            return await totals(nodes[1]) == (12, 86)

        assert await until(are_counted, within=GENEROUS, look_every=0.01)
        assert await by_key(nodes[1]) == [
            (event_key("signup", its), "n2", 3, 50),
            (event_key("signup", mine), "n1", 3, 30),
        ]
        assert await totals(nodes[0], "visit") == (1, 1)


async def test_an_event_never_meets_a_rule_of_its_name() -> None:
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await say(app, ("login", "DE", 3, 30))

        async def is_counted() -> bool:
            return await totals(node, "login") == (3, 30)

        assert await until(is_counted, within=GENEROUS, look_every=0.01)
        asked = ReportQuery(0, 0, 300, "login", "key", 20)
        assert (await node.sessions.gathering.report(asked)).known == ["other"]


async def test_an_owner_is_told_once_a_second_in_one_frame() -> None:
    async with beside_a_puppet() as (node, other, peer, _):
        key = key_at(node, "n2")
        now = node.node.clock()
        node.sessions.told_events.tick(now)  # the next is due in a second
        for _ in range(50):
            await say(peer, ("signup", key, 1, 2))
        node.sessions.told_events.tick(now + EVERY)
        rows = 0
        while rows < 50:
            told = await other.hear(Events)
            assert told.hops == 1
            rows += sum(count for _, _, count, _ in told.rows)
        assert rows == 50


async def test_what_the_owner_cannot_be_told_is_counted_here() -> None:
    async with beside_a_puppet() as (node, other, peer, _):
        key = key_at(node, "n2")
        await other.stop()
        await eventually(lambda: not node.peers.is_up("n2"))
        await say(peer, ("signup", key, 3, 6))

        async def is_counted() -> bool:
            return await by_key(node) == [(event_key("signup", key), "n1", 3, 6)]

        assert await until(is_counted, within=GENEROUS, look_every=0.01)


async def test_of_very_many_keys_nothing_is_lost() -> None:
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as app:
        for at in range(40):
            await say(app, *((f"e{at % 3}", f"{at}-{key}", 1, 2) for key in range(256)))

        async def are_counted() -> bool:
            return await totals(nodes[1]) == (40 * 256, 80 * 256)

        assert await until(are_counted, within=GENEROUS, look_every=0.01)


async def test_an_older_node_is_not_told_what_it_does_not_know() -> None:
    """What is about its keys is counted here, and the link holds."""
    async with older_puppet("n2") as older:
        node = Process(config("n1", seeds=(older.address,)))
        async with node, bare(node, APP) as app:
            await eventually(lambda: node.ready and "n2" in node.cluster.ring)
            await say(app, ("signup", key_at(node, "n2"), 3, 6))

            async def is_counted() -> bool:
                return await totals(node) == (3, 6)

            assert await until(is_counted, within=GENEROUS, look_every=0.01)
            assert node.peers.is_up("n2")


async def test_where_nothing_is_counted_they_are_dropped() -> None:
    async with cluster("n1", report_rules=0) as (node,), bare(node, APP) as app:
        await say(app, ("signup", "DE", 3, 6))
        assert await totals(node) == (0, 0)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("a:b", "k", 1, 0), "no event is called 'a:b'"),
        (("é" * 33, "k", 1, 0), "no event is called"),
        (("", "k", 1, 0), "length >= 1"),
        (("n" * 65, "k", 1, 0), "length <= 64"),
        (("a", "k" * 513, 1, 0), "513 bytes"),
        (("a", "k", -1, 0), ">= 0"),
        (("a", "k", 10**9 + 1, 0), "<= 1000000000"),
        (("a", "k", 1, 10**15 + 1), "<= 1000000000000000"),
        (("a", 5, 1, 0), "`str | null`"),
    ],
)
async def test_nonsense_counts_nothing(row: tuple[object, ...], words: str) -> None:
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await app.send(frame(msgspec.msgpack.encode([31, [("a", "k", 1, 1), row]])))
        error = await app.error()
        assert words in error.text
        node.sessions.told_events.pass_on()
        assert await totals(node) == (0, 0)


async def test_an_app_may_not_pass_on() -> None:
    async with cluster("n1") as (node,), bare(node, APP) as app:
        await app.send(Events([("a", "k", 1, 1)], 1))
        assert (await app.error()).code == "bad-message"
