"""A node: what it decides itself, what it asks the owner, and what it answers when it can't."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from sidegate.link.health import State
from sidegate.protocol.messages import (
    MAX_CHECKS,
    NOBODY,
    Answers,
    Buckets,
    Charged,
    Checks,
    Gossip,
    Holdings,
    Inspect,
    Merged,
    Reset,
    Resets,
)
from sidegate_ring.membership.membership import Kind
from sidegate_sidecar.config import Role
from sidegate_sidecar.node.forward import OWNERS_SHARE
from sidegate_sidecar.node.local import ANSWERS_SHARE
from sidegate_sidecar.node.node import MAX_HELD
from sidegate_sidecar.process import Process
from tests.cluster.bare import APP, Bare, Puppet, bare, checks, deaf, puppet
from tests.cluster.cluster import GENEROUS, cluster, config, eventually, key_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from sidegate.protocol.messages import Answer
    from sidegate_ring.hashring import Ring

DAY = 86_400 * 10**9  # ns
SOON = 0.05  # seconds: a budget that is to run out


@asynccontextmanager
async def beside_a_puppet(**options: Any) -> AsyncGenerator[tuple[Process, Puppet]]:
    """Run a sidecar n1 in a ring with a puppet n2."""
    async with puppet("n2") as other:
        node = Process(config("n1", **{"seeds": (other.address,), **options}))
        async with node:
            await eventually(lambda: node.ready and "n2" in node.cluster.ring)
            yield node, other


@asynccontextmanager
async def beside_two_puppets(**options: Any) -> AsyncGenerator[tuple[Process, Puppet, Puppet]]:
    """Run a sidecar n1 in a ring with the puppets n3 and n2, which is the backup of some of n3's.

    The puppets don't know each other, which makes no difference to what they are asked.
    """
    async with puppet("n2") as backup, puppet("n3") as owner:
        node = Process(config("n1", **{"seeds": (backup.address, owner.address), **options}))
        async with node:
            await eventually(lambda: node.ready and len(node.cluster.ring) == 3)
            yield node, owner, backup


def key_of_pair(owner: str, backup: str, ring: Ring) -> str:
    """Return a key with this owner and this backup."""
    keys = (f"key{at}" for at in range(10_000))
    return next(key for key in keys if ring.pair(key) == (owner, backup))


async def make(how: str, node: Process, other: Puppet) -> None:
    """Have the puppet n2 be gone, or silent."""
    other.gossips = False
    if how == "gone":
        await other.stop()
        await eventually(lambda: node.peers.by_name["n2"].state is State.DOWN)


async def answers_to(peer: Bare, frame: Checks) -> list[Answers]:
    """Send a frame and return the parts in which it is answered, all of them."""
    await peer.send(frame)
    parts: list[Answers] = []
    while True:
        part = await peer.next()
        assert isinstance(part, Answers), part
        assert part.id == frame.id
        parts.append(part)
        if part.positions is None or sum(len(it.answers) for it in parts) == len(frame.checks):
            return parts


async def answer_each(peer: Bare, *asked: tuple[str, str, int]) -> list[Answer]:
    """Return the answer to each check, in their order."""
    answers: list[Answer] = [""] * len(asked)
    for part in await answers_to(peer, checks(1, *asked)):
        positions = range(len(asked)) if part.positions is None else part.positions
        for position, answer in zip(positions, part.answers, strict=True):
            answers[position] = answer
    return answers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two() -> AsyncGenerator[list[Process]]:
    """Run two sidecars for many tests."""
    async with cluster("n1", "n2") as nodes:
        yield nodes


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
    """When all keys of a frame are those of one other node, its answer is passed on as it is."""
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as peer:
        key = key_of("n2", nodes[0].cluster.ring)
        [part] = await answers_to(peer, checks(3, (key, "5/day", 1), (key, "5/day", 2)))
        assert (part.node, part.positions) == ("n2", None)
        assert [answer[0] for answer in part.answers] == [1, 1]


async def test_the_largest_frame_is_forwarded_whole() -> None:
    """4,096 checks of one frame are forwarded and answered like any other."""
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as peer:
        key = key_of("n2", nodes[0].cluster.ring)
        parts = await answers_to(peer, checks(3, *[(key, "1000/day", 1)] * MAX_CHECKS))
        allowed = [answer[0] for part in parts for answer in part.answers]
        assert (len(allowed), allowed.count(1)) == (MAX_CHECKS, 1_000)


async def test_a_check_is_not_forwarded_for_ever() -> None:
    """After two hops a node stands in for the owner instead of asking it: no going in circles."""
    async with beside_a_puppet() as (node, other), bare(node, APP) as peer:
        key = key_of("n2", node.cluster.ring)
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
    """However often a check was forwarded, the owner of its key decides it as the owner."""
    async with beside_a_puppet() as (node, _), bare(node, APP) as peer:
        key = key_of("n1", node.cluster.ring)
        [part] = await answers_to(peer, checks(1, (key, "5/day", 1), hops=hops))
        assert (part.source, part.node, part.answers[0][0]) == ("owner", "n1", 1)


@pytest.mark.parametrize("hops", [2, 3, 10**9])
async def test_an_inspection_is_not_forwarded_for_ever(hops: int) -> None:
    """As for checks, the node that is asked last looks at itself, and says so."""
    async with beside_a_puppet() as (node, _), bare(node, APP) as peer:
        key = key_of("n2", node.cluster.ring)
        await peer.send(Inspect(1, hops, key))
        assert await peer.next() == Holdings(1, "backup", "n1", [])


async def test_the_answer_of_the_owner_is_passed_on_as_it_is() -> None:
    """Source, node, debts, reasons and parts come through; only number and positions change."""
    async with beside_a_puppet() as (node, other), bare(node, APP) as peer:
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
    async with beside_a_puppet(budget=mine) as (node, other), bare(node, APP) as peer:
        key = key_of("n2", node.cluster.ring)
        await peer.send(checks(1, (key, "5/day", 1), budget=int(askers * 1e6)))
        forwarded = await other.hear(Checks)
        share = ANSWERS_SHARE * OWNERS_SHARE
        assert forwarded.budget == pytest.approx(told * share * 1e6, rel=0.01)


async def test_an_asker_without_patience_does_not_cut_off_the_others() -> None:
    """A frame whose budget is over when it comes is answered; the owner is asked by others."""
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as peer:
        key = key_of("n2", nodes[0].cluster.ring)
        for number in range(1, 100):
            hurried = checks(2 * number, (key, "5/day", 0), budget=number % 3)
            patient = checks(2 * number + 1, (key, "5/day", 0))
            await peer.send(hurried, patient)
            heard = [await peer.next(), await peer.next()]
            by_id = {it.id: it for it in heard if isinstance(it, Answers)}
            assert by_id.keys() == {hurried.id, patient.id}
            assert by_id[patient.id].source == "owner"


# What can't be decided


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (("k" * 10_000, "5/day", 1), "key of 10000 bytes: expected at most 512 bytes"),
        (("é" * 257, "5/day", 1), "key of 514 bytes"),
        (("k", "", 1), "nothing here"),
        (("k", "a hundred a day", 1), '"a hundred a day"'),
        (("k", "5/fortnight", 1), 'unknown unit "fortnight"'),
        (("k", "5/day; 5/day", 1), '"5/day"'),
        (("k", "9/d; 8/d; 7/d; 6/d; 5/d; 4/d; 3/d; 2/d; 1/d", 1), "at most 8 limits, not 9"),
        (("k", "5" * 3_000, 1), "at most 1024 characters"),
        (("k", "0/day", 1), '"0/day"'),
        (("k", "1.5/day", 1), "a fraction"),
        (("k", "5/day", -1), "cost -1: expected 0 to 5"),
        (("k", "5/day", 6), "cost 6: expected 0 to 5"),
        (("k", "5/day; 3/hour", 4), "cost 4: expected 0 to 3"),
        (("k", "5/day", 2**63 - 1), "cost 9223372036854775807: expected 0 to 5"),
    ],
)
@pytest.mark.parametrize("owner", ["n1", "n2"])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_check_that_cannot_be_decided_gets_its_reason(
    two: list[Process], check: tuple[str, str, int], text: str, owner: str
) -> None:
    """A bad check is answered by a text that names the value, the ones beside it are decided."""
    counts = two[0].node.counts
    before = counts.checks["app", "owner", "error"]
    async with bare(two[0], APP) as peer:
        good = (key_of(owner, two[0].cluster.ring), "1000/day", 1)
        first, reason, last = await answer_each(peer, good, check, good)
        assert isinstance(reason, str)
        assert text in reason
        assert (first[0], last[0]) == (1, 1)
    assert counts.checks["app", "owner", "error"] == before + 1


async def test_a_key_may_be_as_long_as_it_may_at_every_node() -> None:
    """A key of 512 bytes is decided, by whoever owns it."""
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as peer:
        keys = [f"{at:03}" + "é" * 254 + "x" for at in range(20)]
        answers = await answer_each(peer, *((key, "5/day", 1) for key in keys))
        assert [answer[0] for answer in answers] == [1] * 20


@pytest.mark.parametrize("owner", ["n1", "n2"])
async def test_reasons_for_a_whole_frame_fit_into_one(owner: str) -> None:
    """4,096 checks that can't be decided are answered by the owner, and break no link."""
    bad = f"1/{'x' * 100}; 1/day"  # quoted twice, and once more its unit
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as peer:
        key = key_of(owner, nodes[0].cluster.ring)
        answers = await answer_each(peer, *[(key, bad, 1)] * MAX_CHECKS)
        assert all(isinstance(answer, str) and "1/xxx" in answer for answer in answers)
        assert nodes[0].peers.by_name["n2"].state is State.UP
        assert not nodes[0].node.counts.unanswered


async def test_a_key_with_countless_limits_can_still_be_inspected() -> None:
    """What is told of one key fits into a frame, whatever an app has done with the key."""
    limits = [f"1/{at} seconds burst 4" for at in range(1_000_000_001, 1_000_030_001)]
    texts = ["; ".join(limits[at : at + 8]) for at in range(0, len(limits), 8)]
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as peer:
        key = key_of("n2", nodes[0].cluster.ring)
        for start in range(0, len(texts), 1_000):
            some = texts[start : start + 1_000]
            await answers_to(peer, checks(1, *((key, text, 1) for text in some)))
        assert len(nodes[1].node.buckets) == len(limits)
        await peer.send(Inspect(7, 0, key))
        held = await peer.next()
        assert isinstance(held, Holdings)
        assert (held.id, held.node, len(held.buckets)) == (7, "n2", MAX_HELD)


# When the owner can't be asked


async def test_a_backup_is_asked_at_once_when_the_link_to_the_owner_is_down() -> None:
    """The next node on the ring decides, says so, and is told no less time than there is."""
    async with beside_two_puppets(budget=1.0) as (node, owner, backup):
        key = key_of_pair("n3", "n2", node.cluster.ring)
        await owner.stop()
        await eventually(lambda: node.peers.by_name["n3"].state is State.DOWN)
        async with bare(node, APP) as peer:
            await peer.send(checks(4, (key, "5/day", 1), (key, "5/day", 2)))
            asked = await backup.hear(Checks)
            assert (asked.hops, asked.checks) == (1, [(key, "5/day", 1), (key, "5/day", 2)])
            share = ANSWERS_SHARE * OWNERS_SHARE
            assert asked.budget == pytest.approx(share * 1e6, rel=0.1)  # no one else's patience
            await backup.say(Answers(asked.id, "backup", "n2", None, [[1, 22], [0, 33]]))
            assert await peer.next() == Answers(4, "backup", "n2", None, [[1, 22], [0, 33]])
        assert node.node.counts.unanswered == {"n3": 2}
        assert node.node.counts.failovers == 2
        await owner.start()


async def test_a_backup_is_asked_within_the_same_budget_when_the_owner_is_silent() -> None:
    """The owner has its share of the budget, and its backup half of what is left then."""
    budget = 1.0
    async with beside_two_puppets(budget=budget) as (node, owner, backup):
        key = key_of_pair("n3", "n2", node.cluster.ring)
        owner.gossips = False
        async with bare(node, APP) as peer:
            await peer.send(checks(4, (key, "5/day", 1)))
            asked = await backup.hear(Checks)
            left = ANSWERS_SHARE * (1 - OWNERS_SHARE) * budget
            assert 0 < asked.budget <= left * OWNERS_SHARE * 1.01e6
            await backup.say(Answers(asked.id, "backup", "n2", None, [[1, 22]]))
            assert await peer.next() == Answers(4, "backup", "n2", None, [[1, 22]])
        assert [type(message) for message in owner.heard].count(Checks) == 1


async def test_an_owner_that_hands_a_check_back_is_answered_for_by_the_next() -> None:
    """Who may not decide yet says so, and the next node is asked without waiting for a budget."""
    async with beside_two_puppets() as (node, owner, backup), bare(node, APP) as peer:
        theirs, mine = (key_of_pair("n3", name, node.cluster.ring) for name in ("n2", "n1"))
        await peer.send(checks(4, (theirs, "5/day", 1), (theirs, "6/day", 1), (mine, "5/day", 1)))
        asked = await owner.hear(Checks)
        await owner.say(Answers(asked.id, NOBODY, "n3", [1, 2], [[0], [0]]))
        await owner.say(Answers(asked.id, "owner", "n3", [0], [[1, 11]]))
        onward = await backup.hear(Checks)
        assert onward.checks == [(theirs, "6/day", 1)]
        await backup.say(Answers(onward.id, "backup", "n2", None, [[1, 22]]))
        parts = [await peer.next() for _ in range(3)]
        told = {it.positions[0]: it for it in parts if isinstance(it, Answers) and it.positions}
        assert told[0] == Answers(4, "owner", "n3", [0], [[1, 11]])
        assert told[1] == Answers(4, "backup", "n2", [1], [[1, 22]])
        assert (told[2].source, told[2].node, told[2].answers) == ("backup", "n1", [[1, DAY // 5]])
        assert node.node.counts.unanswered == {"n3": 2}


async def test_a_node_that_may_not_decide_hands_a_forwarded_check_back() -> None:
    """A leaf that can ask nobody goes by its policy for its own apps only."""
    async with beside_a_puppet(role=Role.LEAF) as (node, other), bare(node, APP) as peer:
        key = key_of("n2", node.cluster.ring)
        await make("gone", node, other)
        [part] = await answers_to(peer, checks(1, (key, "5/day", 1), (key, "5/day", 1), hops=1))
        assert part == Answers(1, NOBODY, "n1", [0, 1], [[0], [0]])
        [part] = await answers_to(peer, checks(2, (key, "5/day", 1)))
        assert part.source == "open"
        await other.start()


async def test_a_node_that_comes_next_itself_stands_in_at_once() -> None:
    """For a key whose backup this node is it decides itself, with its copy of the bucket."""
    async with beside_two_puppets() as (node, owner, backup), bare(node, APP) as peer:
        key = key_of_pair("n3", "n1", node.cluster.ring)
        await owner.say(Buckets(1, [("5/day", [key], [4 * DAY // 5])]))  # one of five is left
        await backup.say(Buckets(1, [("5/day", [key], [3 * DAY // 5])]))  # an older copy
        await owner.hear(Merged)
        await owner.stop()
        await eventually(lambda: node.peers.by_name["n3"].state is State.DOWN)
        [part] = await answers_to(peer, checks(1, *[(key, "5/day", 1)] * 3))
        assert (part.source, part.node, part.positions) == ("backup", "n1", None)
        assert [answer[0] for answer in part.answers] == [1, 0, 0]
        told = await backup.hear(Buckets)  # the next one, since the owner can't be told
        assert [(text, keys) for text, keys, _ in told.groups] == [("5/day", [key])]
        assert not any(isinstance(message, Checks) for message in backup.heard)
        await owner.start()


@pytest.mark.parametrize(
    ("policy", "source", "answers", "parts"),
    [("open", "local", [1, 0], 3), ("local", "local", [1, 0], 3), ("closed", "closed", [0, 0], 1)],
)
async def test_a_third_that_can_ask_neither_owner_nor_backup_gives_its_share(
    policy: str, source: str, answers: list[int], parts: int
) -> None:
    """It holds no copy, so it is no backup: 5 a day are 1 for each of the three. Or it refuses."""
    async with beside_two_puppets(on_unreachable=policy, budget=SOON) as (node, owner, backup):
        key = key_of_pair("n3", "n2", node.cluster.ring)
        owner.gossips = backup.gossips = False
        async with bare(node, APP) as peer:
            [part] = await answers_to(peer, checks(1, (key, "5/day", 1), (key, "5/day", 1)))
            assert (part.source, part.parts) == (source, parts)
            assert [answer[0] for answer in part.answers] == answers
            [part] = await answers_to(peer, checks(2, (key, "5/day", 1), hops=1))
            assert (part.source, part.answers) == (NOBODY, [[0]])
            await peer.send(Inspect(3, 1, key))
            assert await peer.next() == Holdings(3, NOBODY, "", [])
        assert node.node.counts.failovers == 0  # though the backup was asked


async def test_checks_are_tried_again_while_those_who_know_may_not_decide_yet() -> None:
    """Owner and backup are there, but one stood still, say: soon one of them will decide."""
    async with beside_two_puppets(budget=GENEROUS) as (node, owner, backup):
        key = key_of_pair("n3", "n2", node.cluster.ring)
        async with bare(node, APP) as peer:
            await peer.send(checks(4, (key, "5/day", 1), (key, "5/day", 2)))
            first = await decline(owner)
            assert (await decline(backup)).serial == first.serial
            again = await decline(owner)
            assert (again.serial, again.places, again.checks) == (
                first.serial,
                [0, 1],
                first.checks,
            )
            asked = await backup.hear(Checks)
            await backup.say(Answers(asked.id, "backup", "n2", None, [[1, 22], [0, 33]]))
            assert await peer.next() == Answers(4, "backup", "n2", None, [[1, 22], [0, 33]])
        assert node.node.counts.unanswered == {"n3": 2, "n2": 2}  # each once


async def test_checks_that_were_tried_in_vain_have_those_after_them_wait_for_nothing() -> None:
    """Where nobody will decide soon, it costs one budget, and the others have a share at once."""
    async with beside_two_puppets(budget=0.2) as (node, owner, backup):
        key = key_of_pair("n3", "n2", node.cluster.ring)
        owner.life.declines = backup.life.declines = True
        async with bare(node, APP) as peer:
            [part] = await answers_to(peer, checks(1, (key, "30/day", 1)))
            assert part.source == "local"
            tries = asked_of(owner)
            assert tries > 1
            for number in range(2, 12):
                [part] = await answers_to(peer, checks(number, (key, "30/day", 1)))
                assert part.source == "local"
            assert asked_of(owner) == tries + 10


def asked_of(acting: Puppet) -> int:
    """Count the frames of checks that a puppet has heard."""
    return sum(isinstance(message, Checks) for message in acting.heard)


async def decline(acting: Puppet) -> Checks:
    """Have a puppet hand back the next checks that it hears."""
    asked = await acting.hear(Checks)
    await acting.say(Answers(asked.id, NOBODY, acting.me.name, None, [[0]] * len(asked.checks)))
    return asked


async def test_a_third_says_what_is_wrong_with_a_check() -> None:
    """Its share hides no reason."""
    async with beside_two_puppets(budget=SOON) as (node, owner, backup):
        key = key_of_pair("n3", "n2", node.cluster.ring)
        owner.gossips = backup.gossips = False
        async with bare(node, APP) as peer:
            answers = await answer_each(peer, (key, "x", 1), (key, "5/day", 6), (key, "5/day", 1))
            assert [type(answer) for answer in answers] == [str, str, list]


async def test_a_backup_asks_by_way_of_who_has_just_heard_from_the_owner() -> None:
    """The owner is there and merely can't be heard from here, so it isn't stood in for."""
    async with beside_two_puppets(budget=1.0) as (node, owner, other):
        key = key_of_pair("n3", "n1", node.cluster.ring)
        owner.gossips = False
        async with bare(node, APP) as peer:
            await peer.send(checks(4, (key, "5/day", 1)))
            await owner.hear(Checks)
            await other.say(Gossip(int(Kind.ACK), 99, "n3", "", []))
            asked = await other.hear(Checks)
            assert (asked.hops, asked.checks) == (1, [(key, "5/day", 1)])
            await other.say(Answers(asked.id, "owner", "n3", None, [[1, 22]]))
            assert await peer.next() == Answers(4, "owner", "n3", None, [[1, 22]])


async def test_an_owner_that_is_back_is_told_what_was_charged_in_its_place() -> None:
    """Each check by its id, with what it cost, and what is owed after all of them."""
    async with beside_a_puppet() as (node, owner), bare(node, APP) as peer:
        key = key_of("n2", node.cluster.ring)
        await owner.stop()
        await eventually(lambda: node.peers.by_name["n2"].state is State.DOWN)
        await answers_to(peer, checks(1, *[(key, "5/day", 1)] * 3))
        await owner.start(owner.address.port)
        told = await owner.hear(Charged)
        [(of, text, [debt], charges)] = told.rows
        assert (of, text) == (key, "5/day")
        assert debt == pytest.approx(3 * DAY // 5, rel=0.01)
        assert [(place, tokens) for _, place, tokens in charges] == [(0, 1), (1, 1), (2, 1)]
        assert len({serial for serial, _, _ in charges}) == 1


async def test_checks_of_one_frame_go_on_to_the_backup_of_each() -> None:
    """Of a frame for a silent owner, each check is decided by the node that comes next for it."""
    async with beside_two_puppets(budget=0.5) as (node, owner, backup):
        ring = node.cluster.ring
        mine, theirs = (key_of_pair("n3", name, ring) for name in ("n1", "n2"))
        owner.gossips = False
        async with bare(node, APP) as peer:
            await peer.send(checks(7, *((it, "5/day", 1) for it in (theirs, mine, theirs))))
            asked = await backup.hear(Checks)
            assert [key for key, _, _ in asked.checks] == [theirs, theirs]
            await backup.say(Answers(asked.id, "backup", "n2", None, [[1, 22], [1, 33]]))
            parts = [await peer.next(), await peer.next()]
            by_node = {part.node: part for part in parts if isinstance(part, Answers)}
            assert (by_node["n1"].source, by_node["n1"].positions) == ("backup", [1])
            assert by_node["n2"] == Answers(7, "backup", "n2", [0, 2], [[1, 22], [1, 33]])


@pytest.mark.parametrize(
    ("policy", "answers", "parts"),
    [
        ("open", [[1]] * 9, 1),
        ("closed", [[0]] * 9, 1),
        ("local", [[1]] * 5 + [[0]] * 4, 2),
    ],
)
@pytest.mark.parametrize("how", ["gone", "silent"])
async def test_without_an_owner_the_policy_decides(
    policy: str, answers: list[list[int]], parts: int, how: str
) -> None:
    """When no node that owns keys can be asked, a leaf answers by the policy, and counts it."""
    options = {"on_unreachable": policy, "budget": SOON, "role": Role.LEAF}
    async with beside_a_puppet(**options) as (node, other), bare(node, APP) as peer:
        key = key_of("n2", node.cluster.ring)
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


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("how", ["gone", "silent"])
async def test_bad_checks_are_told_so_even_without_the_owner(role: Role, how: str) -> None:
    """Neither a policy nor a backup hides that a check makes no sense."""
    async with beside_a_puppet(budget=SOON, role=role) as (node, other), bare(node, APP) as peer:
        key = key_of("n2", node.cluster.ring)
        long = key_of("n2", node.cluster.ring, "é" * 256)
        await make(how, node, other)
        bad = [(key, "x", 1), (key, "5/day", 6), (key, "5/day", -1), (long, "5/day", 1)]
        answers = await answer_each(peer, (key, "5/day", 1), *bad, ("k" * 513, "5/day", 1))
        assert answers[0][0] == 1
        assert [type(answer) for answer in answers[1:]] == [str] * 5
        if how == "gone":
            await other.start()


async def test_a_silent_owner_costs_one_budget() -> None:
    """Once its share of a budget has run out, an owner isn't asked any more: its backup is.

    The budget is so long that this process may be held up for 0.4 s, and none has stood still.
    """
    async with beside_a_puppet(budget=1.0) as (node, other), bare(node, APP) as peer:
        key = key_of("n2", node.cluster.ring)
        other.gossips = False
        for number in range(1, 100):
            [part] = await answers_to(peer, checks(number, (key, "1000/day", 1)))
            assert (part.source, part.node, part.answers[0][0]) == ("backup", "n1", 1)
            assert node.peers.by_name["n2"].state is State.SUSPECT
        assert [type(it) for it in other.heard].count(Checks) == 1


async def test_what_the_owner_answered_in_time_counts() -> None:
    """When an owner answers in part only, its backup answers the rest."""
    async with beside_a_puppet(budget=0.5) as (node, other), bare(node, APP) as peer:
        key = key_of("n2", node.cluster.ring)
        await peer.send(checks(1, *((key, f"{at}/day", 1) for at in range(1, 4))))
        forwarded = await other.hear(Checks)
        await other.say(Answers(forwarded.id, "owner", "n2", [1], [[1, 22]]))
        assert await peer.next() == Answers(1, "owner", "n2", [1], [[1, 22]])
        assert await peer.next() == Answers(1, "backup", "n1", [0, 2], [[1, DAY], [1, DAY // 3]])


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


async def test_a_key_of_an_owner_that_is_silent_is_inspected_at_its_backup() -> None:
    """The backup shows its copy, and forgets it on a reset; the source says that it is one."""
    async with beside_a_puppet(budget=SOON) as (node, other), bare(node, APP) as peer:
        key = key_of("n2", node.cluster.ring)
        await other.say(Buckets(1, [("5/day", [key], [DAY])]))
        await other.hear(Merged)
        other.gossips = False
        await peer.send(Inspect(1, 0, key))
        held = await peer.next()
        assert isinstance(held, Holdings)
        assert (held.id, held.source, held.node, held.buckets[0][0]) == (1, "backup", "n1", "5/day")
        await peer.send(Reset(2, 0, key))
        [(_, forgotten, _)] = (await other.hear(Resets)).resets
        assert forgotten == key
        assert not node.node.buckets.held(key, node.clock())


async def test_a_key_that_nobody_can_be_asked_about_cannot_be_inspected() -> None:
    """The answer of a leaf without owners has no buckets, and its source says why."""
    async with beside_a_puppet(budget=SOON, role=Role.LEAF) as (node, _), bare(node, APP) as peer:
        key = key_of("n2", node.cluster.ring)
        await peer.send(Inspect(1, 0, key), Reset(2, 0, key))
        told = [await peer.next(), await peer.next()]
        assert sorted(it.id for it in told if isinstance(it, Holdings)) == [1, 2]
        assert {(it.source, len(it.buckets)) for it in told if isinstance(it, Holdings)} == {
            ("open", 0)
        }


async def test_a_lost_asker_keeps_nobody_from_an_answer() -> None:
    """When an app goes away in the middle, its checks end, and others go on."""
    async with beside_a_puppet() as (node, other), bare(node, APP) as staying:
        key = key_of("n2", node.cluster.ring)
        async with bare(node, APP) as leaving:
            await leaving.send(checks(1, (key, "5/day", 1)))
            lost = await other.hear(Checks)
        await eventually(lambda: len(node.sessions.open) == 1)
        await staying.send(checks(2, (key, "5/day", 1)))
        kept = await other.hear(Checks)
        await other.say(*(Answers(it.id, "owner", "n2", None, [[1, 5]]) for it in (lost, kept)))
        assert await staying.next() == Answers(2, "owner", "n2", None, [[1, 5]])


async def test_nodes_count_what_others_asked_them_apart() -> None:
    """Checks from apps and from other nodes are told apart in the counts."""
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as peer:
        key = key_of("n2", nodes[0].cluster.ring)
        await answer_each(peer, *[(key, "5/day", 1)] * 8)
        asked, decided = (node.node.counts.checks for node in nodes)
        assert (asked["app", "owner", "allowed"], asked["app", "owner", "denied"]) == (5, 3)
        assert (decided["node", "owner", "allowed"], decided["node", "owner", "denied"]) == (5, 3)
        assert sum(nodes[0].node.counts.forwarded.buckets) == 1
