"""Resetting all keys that begin so, asked on a link: on all nodes, and who didn't say is named."""

import pytest

from sidegate.protocol.key_messages import KeysReset, ResetKeys
from sidegate.protocol.messages import Error, Forget, Resets
from sidegate_sidecar.links.keys import all_keys
from tests.sidecar.links.keys.test_listing import LIMIT, spend
from tests.sidecar.node.beside_puppets import beside_a_puppet
from tests.support.in_process.cluster import cluster, eventually
from tests.support.in_process.http_client import charged
from tests.support.in_process.puppets import APP, bare, node_named


async def test_all_nodes_forget_and_say_how_many_they_owned() -> None:
    """Their apps hear of it in one word."""
    keys = [f"login:{at}" for at in range(60)]
    async with cluster("n1", "n2", "n3") as nodes, bare(nodes[0], APP) as peer:
        async with bare(nodes[1], APP) as another:
            for key in [*keys, "other:1"]:
                for node in nodes:  # also where it is a copy
                    charged(node, key, LIMIT, 1)
            await peer.send(ResetKeys(5, 0, "login:"))
            heard = [await peer.next(), await peer.next()]
            assert Forget("login:", 1) in heard
            [answer] = [it for it in heard if isinstance(it, KeysReset)]
            assert await another.next() == Forget("login:", 1)
        ring = nodes[0].cluster.ring
        owned = {name: sum(ring.owner(key) == name for key in keys) for name in ring.nodes}
        assert (dict(answer.forgotten), answer.missing, answer.id) == (owned, [], 5)
        for node in nodes:
            left = {key for part in node.node.buckets.export(node.clock()) for key, _, _ in part}
            assert left == {"other:1"}


async def test_a_node_that_does_not_say_so_is_missing_and_is_told_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the messages that tell each node that is met of resets."""
    monkeypatch.setattr(all_keys, "RESET_WITHIN", 0.2)
    async with beside_a_puppet() as (node, other, peer, _):
        charged(node, "login:a", LIMIT, 1)
        await peer.send(ResetKeys(5, 0, "login:"))
        asked = await other.hear(ResetKeys)
        told = await other.hear(Resets)
        heard = [await peer.next(), await peer.next()]
    assert asked.hops == 1
    assert [(number, key) for number, key, _ in told.prefixes] == [(asked.number, "login:")]
    [answer] = [it for it in heard if isinstance(it, KeysReset)]
    assert answer.missing == ["n2"]


async def test_a_node_does_each_reset_once() -> None:
    """Told of it twice it says the same, and what was charged in between stays charged."""
    async with cluster("n1") as nodes, bare(nodes[0], node_named("n9")) as peer:
        for _ in range(2):
            charged(nodes[0], "login:a", LIMIT, 1)
            await peer.send(ResetKeys(5, 1, "login:", 0, 77))
            answer = await peer.next()
            assert answer == KeysReset(5, [("n1", 1)], [])
        assert nodes[0].node.buckets.held("login:a", nodes[0].clock())


async def test_every_key_is_reset_where_that_is_said() -> None:
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as peer:
        for at in range(20):
            spend(nodes, f"rule{at}:a", 1)
        await peer.send(ResetKeys(5, 0, "", 1))
        heard = [await peer.next(), await peer.next()]
        [answer] = [it for it in heard if isinstance(it, KeysReset)]
        assert sum(count for _, count in answer.forgotten) == 20
        await eventually(lambda: not any(node.cluster.sync.resets.hearers for node in nodes))


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        (ResetKeys(5, 0, ""), "bad-key", "prefix '': expected at least one character"),
        (ResetKeys(5, 0, "k" * 513), "bad-key", "513 bytes: expected at most 512"),
        (ResetKeys(5, 1, "login:", 0, 77), "bad-message", "only nodes ask one node"),
        (ResetKeys(5, 0, "login:", 0, 77), "bad-message", "a number is for resets"),
    ],
)
async def test_what_makes_no_sense_is_named(asked: ResetKeys, code: str, words: str) -> None:
    async with cluster("n1") as nodes, bare(nodes[0], APP) as peer:
        await peer.send(asked)
        told = await peer.next()
    assert isinstance(told, Error)
    assert told.code == code
    assert words in told.text
