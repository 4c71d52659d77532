"""A node: what it decides itself, what it asks the owner, and what it answers when it can't."""

import pytest

from sidegate.protocol.messages import MAX_CHECKS, Answers, Checks
from sidegate_sidecar.config import Role
from sidegate_sidecar.node.forward import OWNERS_SHARE
from sidegate_sidecar.node.local import ANSWERS_SHARE
from sidegate_sidecar.process import Process
from tests.sidecar.node.beside_puppets import (
    SOON,
    answer_each,
    answers_to,
    asking_two,
    beside_a_puppet,
    make,
)
from tests.support.in_process.cluster import cluster, config, eventually, key_of
from tests.support.in_process.puppets import APP, bare, checks, deaf

# Mine, or the owner's


async def test_a_node_alone_owns_every_key() -> None:
    """A node without others decides all checks of a frame, in their order and in one part."""
    async with cluster("n1") as (node,), bare(node, APP) as peer:
        asked = [(f"k{at % 7}", "5/day", 1) for at in range(70)]
        [part] = await answers_to(peer, checks(3, *asked))
        assert (part.source, part.node, part.positions, part.parts) == ("owner", "n1", None, 1)
        allowed = [answer[0] for answer in part.answers]
        assert allowed == [1] * 35 + [0] * 35


async def test_a_frame_is_answered_in_a_part_for_each_owner() -> None:
    """Each owner answers for its own keys; together the parts answer each check once."""
    async with cluster("n1", "n2", "n3") as nodes, bare(nodes[0], APP) as peer:
        asked = [(f"k{at}", "5/day", 1) for at in range(100)]
        parts = await answers_to(peer, checks(3, *asked))
        owner_of = nodes[0].cluster.ring.owner
        assert sorted(part.node for part in parts) == ["n1", "n2", "n3"]
        assert {part.source for part in parts} == {"owner"}
        positions = [(position, part.node) for part in parts for position in part.positions or ()]
        assert sorted(positions) == [(at, owner_of(f"k{at}")) for at in range(100)]


async def test_a_frame_that_one_owner_decides_comes_back_in_one_part() -> None:
    async with asking_two() as (_, peer, key):
        [part] = await answers_to(peer, checks(3, (key, "5/day", 1), (key, "5/day", 2)))
        assert (part.node, part.positions) == ("n2", None)
        assert [answer[0] for answer in part.answers] == [1, 1]


async def test_the_largest_frame_is_forwarded_whole() -> None:
    async with asking_two() as (_, peer, key):
        parts = await answers_to(peer, checks(3, *[(key, "1000/day", 1)] * MAX_CHECKS))
        allowed = [answer[0] for part in parts for answer in part.answers]
        assert (len(allowed), allowed.count(1)) == (MAX_CHECKS, 1_000)


async def test_a_check_is_not_forwarded_for_ever() -> None:
    """After two hops a node stands in for the owner instead of asking it: no going in circles."""
    async with beside_a_puppet() as (_, other, peer, key):
        await peer.send(checks(1, (key, "5/day", 1), hops=1))
        forwarded = await other.hear(Checks)
        assert forwarded.hops == 2
        await peer.send(checks(2, (key, "5/day", 1), hops=2))
        answers = await peer.next()
        assert isinstance(answers, Answers)
        assert (answers.id, answers.source, answers.node) == (2, "backup", "n1")
        assert not any(isinstance(message, Checks) for message in other.heard)


@pytest.mark.parametrize("hops", [0, 1, 2, 3, 10**9])
async def test_a_check_that_came_to_its_owner_is_decided_there(hops: int) -> None:
    async with beside_a_puppet() as (node, _, peer, _):
        key = key_of("n1", node.cluster.ring)
        [part] = await answers_to(peer, checks(1, (key, "5/day", 1), hops=hops))
        assert (part.source, part.node, part.answers[0][0]) == ("owner", "n1", 1)


async def test_the_answer_of_the_owner_is_passed_on_as_it_is() -> None:
    """Source, node, debts, reasons and parts come through; only number and positions change."""
    async with beside_a_puppet() as (node, other, peer, _):
        mine, theirs = (key_of(name, node.cluster.ring) for name in ("n1", "n2"))
        asked = [(mine, "5/day", 1), (theirs, "5/day", 1), (mine, "5/day", 1), (theirs, "x", 1)]
        await peer.send(checks(9, *asked))
        own = await peer.next()
        forwarded = await other.hear(Checks)
        assert forwarded.checks == [asked[1], asked[3]]
        await other.say(Answers(forwarded.id, "backup", "n8", [1], ["no such limit"], 3))
        await other.say(Answers(forwarded.id, "local", "n7", [0], [[0, 55]], 4))
        assert isinstance(own, Answers)
        assert own.positions == [0, 2]
        assert await peer.next() == Answers(9, "backup", "n8", [3], ["no such limit"], 3)
        assert await peer.next() == Answers(9, "local", "n7", [1], [[0, 55]], 4)


# Budgets


@pytest.mark.parametrize(
    ("mine", "askers", "told"), [(1.0, 0.5, 0.5), (0.5, 1.0, 0.5), (1.0, 60.0, 1.0)]
)
async def test_the_owner_is_given_what_is_left_of_the_budget(
    mine: float, askers: float, told: float
) -> None:
    """The owner hears its share of the smaller of the asker's budget and ours."""
    async with beside_a_puppet(budget=mine) as (_, other, peer, key):
        await peer.send(checks(1, (key, "5/day", 1), budget=int(askers * 1e6)))
        forwarded = await other.hear(Checks)
        share = ANSWERS_SHARE * OWNERS_SHARE
        assert forwarded.budget == pytest.approx(told * share * 1e6, rel=0.01)


async def test_an_asker_without_patience_does_not_cut_off_the_others() -> None:
    """A frame whose budget is over when it comes is answered; the owner is asked by others."""
    async with asking_two() as (_, peer, key):
        for number in range(1, 100):
            hurried = checks(2 * number, (key, "5/day", 0), budget=number % 3)
            patient = checks(2 * number + 1, (key, "5/day", 0))
            await peer.send(hurried, patient)
            heard = [await peer.next(), await peer.next()]
            by_id = {it.id: it for it in heard if isinstance(it, Answers)}
            assert by_id.keys() == {hurried.id, patient.id}
            assert by_id[patient.id].source == "owner"


@pytest.mark.parametrize(
    ("policy", "answers", "parts"),
    [("open", [[1]] * 9, 1), ("closed", [[0]] * 9, 1), ("local", [[1]] * 5 + [[0]] * 4, 2)],
)
@pytest.mark.parametrize("how", ["gone", "silent"])
async def test_without_an_owner_the_policy_decides(
    policy: str, answers: list[list[int]], parts: int, how: str
) -> None:
    """When no node that owns keys can be asked, a leaf answers by the policy, and counts it."""
    options = {"on_unreachable": policy, "budget": SOON, "role": Role.LEAF}
    async with beside_a_puppet(**options) as (node, other, peer, key):
        await make(how, node, other)
        [part] = await answers_to(peer, checks(5, *[(key, "10/day", 1)] * 9))
        assert (part.source, part.parts) == (policy, parts)
        assert part.node == "n2"  # who should have decided
        assert [answer[:1] for answer in part.answers] == answers
        assert node.node.counts.unanswered == {"n2": 9}
        assert node.node.counts.failovers == 0
        allowed = sum(answer[0] for answer in answers)
        counted = node.node.counts.checks
        assert counted["app", policy, "allowed"] == allowed
        assert counted["app", policy, "denied"] == 9 - allowed
        if how == "gone":
            await other.start()


async def test_a_node_that_is_still_looking_for_the_others_decides_nothing() -> None:
    """Before a node has looked for the others it doesn't take itself for the owner of all keys."""
    async with deaf() as silent:
        node = Process(config("n1", seeds=(silent.address,)))
        async with node, bare(node, APP) as peer:
            await eventually(lambda: silent.accepted)  # it has been dialled, and says nothing
            assert not node.ready
            [part] = await answers_to(peer, checks(1, ("k", "5/day", 1)))
            assert (part.source, part.answers) == ("open", [[1]])
            await eventually(lambda: node.ready)
            [part] = await answers_to(peer, checks(2, ("k", "5/day", 1)))
            assert (part.source, part.answers[0][0]) == ("owner", 1)


async def test_a_lost_asker_keeps_nobody_from_an_answer() -> None:
    async with beside_a_puppet() as (node, other, staying, key):
        async with bare(node, APP) as leaving:
            await leaving.send(checks(1, (key, "5/day", 1)))
            lost = await other.hear(Checks)
        await eventually(lambda: len(node.sessions.open) == 1)
        await staying.send(checks(2, (key, "5/day", 1)))
        kept = await other.hear(Checks)
        await other.say(*(Answers(it.id, "owner", "n2", None, [[1, 5]]) for it in (lost, kept)))
        assert await staying.next() == Answers(2, "owner", "n2", None, [[1, 5]])


async def test_nodes_count_what_others_asked_them_apart() -> None:
    async with asking_two() as (nodes, peer, key):
        await answer_each(peer, *[(key, "5/day", 1)] * 8)
        asked, decided = (node.node.counts.checks for node in nodes)
        assert (asked["app", "owner", "allowed"], asked["app", "owner", "denied"]) == (5, 3)
        assert (decided["node", "owner", "allowed"], decided["node", "owner", "denied"]) == (5, 3)
        assert sum(nodes[0].node.counts.forwarded.buckets) == 1
