"""Keys over all nodes, asked on a link: each from its owner, and who didn't answer is named."""

import pytest
from msgspec import msgpack

from sidegate.protocol.codec import WireError
from sidegate.protocol.key_messages import (
    MAX_LISTED,
    KeyOrder,
    KeysBy,
    KeysListed,
    ListKeys,
)
from sidegate.protocol.messages import Error
from sidegate_sidecar.config import Role
from sidegate_sidecar.links.keys import all_keys
from sidegate_sidecar.process import Process
from sidegate_sidecar.reports.shown_keys import ShownKeys
from tests.sidecar.node.beside_puppets import beside_a_puppet
from tests.support.in_process.cluster import are_one_ring, cluster, config, eventually
from tests.support.in_process.http_client import charged
from tests.support.in_process.puppets import APP, Bare, bare, node_named

LIMIT = "10/hour"


def listing(text: str = "login:", most: int = 50, **options: object) -> ListKeys:
    """Return a question of an app."""
    by, order = options.get("by", KeysBy.PREFIX), options.get("order", KeyOrder.DEBT)
    assert isinstance(by, KeysBy)
    assert isinstance(order, KeyOrder)
    hops = options.get("hops", 0)
    assert isinstance(hops, int)
    return ListKeys(7, hops, 250_000, by, text, order, most)


async def listed(peer: Bare, asked: ListKeys) -> KeysListed:
    """Ask, and return the answer."""
    await peer.send(asked)
    answer = await peer.next()
    assert isinstance(answer, KeysListed)
    assert answer.id == asked.id
    return answer


def spend(nodes: list[Process], key: str, cost: int, limits: str = LIMIT) -> None:
    """Put a key in debt on its owner."""
    owner = nodes[0].cluster.ring.owner(key)
    charged(next(node for node in nodes if node.config.name == owner), key, limits, cost)


async def test_each_key_comes_from_its_owner_those_in_debt_most_first() -> None:
    """Copies at backups aren't counted, nor what doesn't begin so."""
    async with cluster("n1", "n2", "n3") as nodes, bare(nodes[1], APP) as peer:
        for at in range(30):
            for node in nodes:  # also where it is a copy
                charged(node, f"login:{at}", LIMIT, 1)
            spend(nodes, f"login:{at}", at % 9)
        spend(nodes, "api:1", 9)
        answer = await listed(peer, listing(most=10))
        ring = nodes[0].cluster.ring
        assert sorted(answer.nodes) == ["n1", "n2", "n3"]
        assert (answer.missing, answer.unfinished, answer.more) == ([], [], 1)
        assert [answer.nodes[place] for _, place, _ in answer.rows] == [
            ring.owner(key) for key, _, _ in answer.rows
        ]
        spent = [int(key.partition(":")[2]) % 9 for key, _, _ in answer.rows]
        assert spent == [8] * 3 + [7] * 3 + [6] * 3 + [5]
        whole = await listed(peer, listing(order=KeyOrder.KEY))
        assert [key for key, _, _ in whole.rows] == sorted(f"login:{at}" for at in range(30))
        assert whole.more == 0


async def test_the_buckets_of_an_identity_are_found_over_all_rules() -> None:
    """By what comes after the first ":"; not where it is only an end."""
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as peer:
        of_it = ["login:192.0.2.1", "shop/api:192.0.2.1", ":192.0.2.1"]
        for key in [*of_it, "login:192.0.2.11", "a:b:192.0.2.1", "192.0.2.1"]:
            spend(nodes, key, 3)
        answer = await listed(peer, listing("192.0.2.1", by=KeysBy.IDENTITY, order=KeyOrder.KEY))
        assert [key for key, _, _ in answer.rows] == sorted(of_it)


async def test_a_key_shows_all_its_buckets() -> None:
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as peer:
        spend(nodes, "login:a", 2, "10/hour; 1000/day")
        [(key, _, held)] = (await listed(peer, listing())).rows
        assert (key, [limit for limit, _ in held]) == ("login:a", ["10/hour", "1000/day"])


async def test_a_node_that_is_silent_is_missing() -> None:
    """The keys of the others are there all the same, within the time."""
    async with beside_a_puppet() as (node, other, peer, _):
        mine = [f"login:{at}" for at in range(40)]
        for key in mine:
            charged(node, key, LIMIT, 1)
        answer = await listed(peer, listing())
        asked = await other.hear(ListKeys)
    assert (answer.nodes, answer.missing) == (["n1"], ["n2"])
    assert {key for key, _, _ in answer.rows} == {
        key for key in mine if node.cluster.ring.owner(key) == "n1"
    }
    assert (asked.hops, asked.text, asked.most) == (1, "login:", 50)


async def test_a_node_answers_another_for_itself_alone() -> None:
    async with cluster("n1", "n2") as nodes, bare(nodes[0], node_named("n9")) as peer:
        spend(nodes, "login:a", 1)
        spend(nodes, "login:b", 1)
        answer = await listed(peer, listing(hops=1))
    assert answer.nodes == ["n1"]
    assert answer.missing == []


async def test_a_leaf_lists_what_the_owners_have() -> None:
    async with cluster("n1") as nodes:
        leaf = Process(config("leaf", seeds=(nodes[0].link,), role=Role.LEAF))
        async with leaf, bare(leaf, APP) as peer:
            await eventually(lambda: leaf.ready and leaf.cluster.ring.nodes == ("n1",))
            spend(nodes, "login:a", 1)
            answer = await listed(peer, listing())
    assert (answer.nodes, [key for key, _, _ in answer.rows]) == (["n1"], ["login:a"])


async def test_what_a_walk_has_no_time_for_is_said() -> None:
    """Another walk goes on meanwhile: this one finds nothing, and says that it has not looked."""
    async with cluster("n1") as nodes, bare(nodes[0], APP) as peer:
        spend(nodes, "login:a", 1)
        async with nodes[0].sessions.keys._gate:
            waiting = ListKeys(7, 0, 1, KeysBy.PREFIX, "login:", KeyOrder.DEBT, 5)
            await peer.send(waiting)
            await eventually(lambda: nodes[0].sessions.keys._walks == 1)
        answer = await peer.next()
    assert isinstance(answer, KeysListed)
    assert (answer.unfinished, answer.rows) == (["n1"], [])


async def test_a_node_that_is_asked_by_too_many_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_keys, "MAX_WALKS", 0)
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as peer:
        answer = await listed(peer, listing())
    assert (answer.nodes, answer.missing) == ([], ["n1", "n2"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ((34, 7, 0, 5, "begins", "a", "debt", 5), "Invalid enum value 'begins'"),
        ((34, 7, 0, 5, "prefix", "a", "size", 5), "Invalid enum value 'size'"),
        ((34, 7, 0, 5, "prefix", "a", "debt", 0), ">= 1"),
        ((34, 7, 0, 5, "prefix", "a", "debt", MAX_LISTED + 1), "<= 1000"),
        ((34, 7, -1, 5, "prefix", "a", "debt", 5), ">= 0"),
        ((34, 7, 1, 5, "prefix", "a", "debt", 5), "only nodes ask one node"),
        ((34, 7, 0, 5, "prefix", "k" * 513, "debt", 5), "513 bytes: expected at most 512"),
    ],
)
async def test_what_makes_no_sense_is_named(body: tuple[object, ...], words: str) -> None:
    packed = msgpack.encode(list(body))
    async with cluster("n1") as nodes, bare(nodes[0], APP) as peer:
        await peer.send(len(packed).to_bytes(4, "big") + packed)
        told = await peer.next()
    assert isinstance(told, Error)
    assert words in told.text
    assert WireError(told.code, told.text).code in {"bad-message", "bad-key"}


async def test_keys_are_shown_as_the_node_that_is_asked_shows_them() -> None:
    async with cluster("n1", report_keys=ShownKeys.MASKED) as nodes, bare(nodes[0], APP) as peer:
        spend(nodes, "login:192.0.2.1", 3)
        [(key, _, _)] = (await listed(peer, listing())).rows
        assert key == "login:192…"
        [(key, _, _)] = (await listed(peer, listing("192.0.2.1", by=KeysBy.IDENTITY))).rows
        assert key == "login:192…"


@pytest.mark.parametrize("how", [ShownKeys.MASKED, ShownKeys.HASHED])
async def test_what_is_not_shown_cannot_be_tried_letter_by_letter(how: ShownKeys) -> None:
    """Neither by the keys that are there, nor by how many, nor by their order."""
    hidden = [f"{rule}alice@example.com/{at}" for rule in ("login:", "") for at in range(3)]
    async with cluster("n1", "n2", report_keys=how) as nodes, bare(nodes[0], APP) as peer:
        for at, key in enumerate(hidden):
            spend(nodes, key, at + 1)
        for right, wrong in (("login:alice@e", "login:alice@x"), ("alice@e", "alice@x")):
            for most in (1, 50):
                found = await listed(peer, listing(right, most))
                assert not found.rows
                assert found == await listed(peer, listing(wrong, most))
        for prefix, count in (("", 6), ("login:", 3)):
            found = await listed(peer, listing(prefix, order=KeyOrder.KEY))
            assert len(found.rows) == count
            assert [key for key, _, _ in found.rows] == sorted(key for key, _, _ in found.rows)
            looks = found.rows[0][0]
            assert (await listed(peer, listing(looks))).rows[0][0] == looks
            assert (await listed(peer, listing(prefix, 1))).more == 1


async def test_nodes_that_come_and_go_are_counted_as_the_ring_has_them() -> None:
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as peer:
        assert sorted((await listed(peer, listing())).nodes) == ["n1", "n2"]
        await nodes[1].stop()
        await eventually(lambda: are_one_ring(nodes[:1]))
        assert (await listed(peer, listing())).nodes == ["n1"]
