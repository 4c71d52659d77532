"""The owner fails: its backup, whoever comes next, or a share decides, within the budget."""

import pytest

from sidegate.link.health import LinkState
from sidegate.protocol.messages import (
    NOBODY,
    Answers,
    Buckets,
    Charged,
    Checks,
    Gossip,
    Holdings,
    Inspect,
    Merged,
)
from sidegate_ring.membership.membership import SwimKind
from sidegate_sidecar.config import Role
from sidegate_sidecar.node.forward import OWNERS_SHARE
from sidegate_sidecar.node.local import ANSWERS_SHARE
from sidegate_sidecar.node.patience import VAIN_FOR
from tests.sidecar.node.beside_puppets import (
    DAY,
    SOON,
    answer_each,
    answers_to,
    asked_of,
    beside_a_puppet,
    beside_two_puppets,
    decline,
    key_of_pair,
    make,
)
from tests.support.in_process.cluster import GENEROUS, eventually
from tests.support.in_process.puppets import checks


async def test_a_backup_is_asked_at_once_when_the_link_to_the_owner_is_down() -> None:
    """The next node on the ring decides, says so, and is told no less time than there is."""
    async with beside_two_puppets(budget=1.0) as (node, owner, backup, peer):
        key = key_of_pair("n3", "n2", node.cluster.ring)
        await owner.stop()
        await eventually(lambda: node.peers.by_name["n3"].state is LinkState.DOWN)
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
    async with beside_two_puppets(budget=budget) as (node, owner, backup, peer):
        key = key_of_pair("n3", "n2", node.cluster.ring)
        owner.gossips = False
        await peer.send(checks(4, (key, "5/day", 1)))
        asked = await backup.hear(Checks)
        left = ANSWERS_SHARE * (1 - OWNERS_SHARE) * budget
        assert 0 < asked.budget <= left * OWNERS_SHARE * 1.01e6
        await backup.say(Answers(asked.id, "backup", "n2", None, [[1, 22]]))
        assert await peer.next() == Answers(4, "backup", "n2", None, [[1, 22]])
        assert [type(message) for message in owner.heard].count(Checks) == 1


async def test_an_owner_that_hands_a_check_back_is_answered_for_by_the_next() -> None:
    """Who may not decide yet says so, and the next node is asked without waiting for a budget."""
    async with beside_two_puppets() as (node, owner, backup, peer):
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
    async with beside_a_puppet(role=Role.LEAF) as (node, other, peer, key):
        await make("gone", node, other)
        [part] = await answers_to(peer, checks(1, (key, "5/day", 1), (key, "5/day", 1), hops=1))
        assert part == Answers(1, NOBODY, "n1", [0, 1], [[0], [0]])
        [part] = await answers_to(peer, checks(2, (key, "5/day", 1)))
        assert part.source == "open"
        await other.start()


async def test_a_node_that_comes_next_itself_stands_in_at_once() -> None:
    """For a key whose backup this node is it decides itself, with its copy of the bucket."""
    async with beside_two_puppets() as (node, owner, backup, peer):
        key = key_of_pair("n3", "n1", node.cluster.ring)
        await owner.say(Buckets(1, [("5/day", [key], [4 * DAY // 5])]))  # one of five is left
        await backup.say(Buckets(1, [("5/day", [key], [3 * DAY // 5])]))  # an older copy
        await owner.hear(Merged)
        await owner.stop()
        await eventually(lambda: node.peers.by_name["n3"].state is LinkState.DOWN)
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
    options = {"on_unreachable": policy, "budget": SOON}
    async with beside_two_puppets(**options) as (node, owner, backup, peer):
        key = key_of_pair("n3", "n2", node.cluster.ring)
        owner.gossips = backup.gossips = False
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
    async with beside_two_puppets(budget=GENEROUS) as (node, owner, backup, peer):
        key = key_of_pair("n3", "n2", node.cluster.ring)
        await peer.send(checks(4, (key, "5/day", 1), (key, "5/day", 2)))
        first = await decline(owner)
        assert (await decline(backup)).serial == first.serial
        again = await decline(owner)
        assert (again.serial, again.places) == (first.serial, [0, 1])
        assert again.checks == first.checks
        asked = await backup.hear(Checks)
        await backup.say(Answers(asked.id, "backup", "n2", None, [[1, 22], [0, 33]]))
        assert await peer.next() == Answers(4, "backup", "n2", None, [[1, 22], [0, 33]])
        assert node.node.counts.unanswered == {"n3": 2, "n2": 2}  # each once


async def test_checks_that_were_tried_in_vain_have_those_after_them_wait_for_nothing() -> None:
    """Where nobody will decide soon, it costs one budget a second: others have a share at once."""
    async with beside_two_puppets(budget=0.2) as (node, owner, backup, peer):
        key = key_of_pair("n3", "n2", node.cluster.ring)
        owner.life.declines = backup.life.declines = True
        start = node.clock()
        [part] = await answers_to(peer, checks(1, (key, "30/day", 1)))
        assert part.source == "local"
        tries = [asked_of(owner)]
        for number in range(2, 12):
            [part] = await answers_to(peer, checks(number, (key, "30/day", 1)))
            assert part.source == "local"
            tries.append(asked_of(owner) - sum(tries))
        assert tries[0] > 1
        # It isn't known of a check whose time is over while it is asked about: then one waits more.
        # So does one after a second, which a busy machine may take.
        assert sum(it > 1 for it in tries[1:]) <= 1 + (node.clock() - start) // VAIN_FOR


async def test_a_third_says_what_is_wrong_with_a_check() -> None:
    """Its share hides no reason."""
    async with beside_two_puppets(budget=SOON) as (node, owner, backup, peer):
        key = key_of_pair("n3", "n2", node.cluster.ring)
        owner.gossips = backup.gossips = False
        answers = await answer_each(peer, (key, "x", 1), (key, "5/day", 6), (key, "5/day", 1))
        assert [type(answer) for answer in answers] == [str, str, list]


async def test_a_backup_asks_by_way_of_who_has_just_heard_from_the_owner() -> None:
    """The owner is there and merely can't be heard from here, so it isn't stood in for."""
    async with beside_two_puppets(budget=1.0) as (node, owner, other, peer):
        key = key_of_pair("n3", "n1", node.cluster.ring)
        owner.gossips = False
        await peer.send(checks(4, (key, "5/day", 1)))
        await owner.hear(Checks)
        await other.say(Gossip(int(SwimKind.ACK), 99, "n3", "", []))
        asked = await other.hear(Checks)
        assert (asked.hops, asked.checks) == (1, [(key, "5/day", 1)])
        await other.say(Answers(asked.id, "owner", "n3", None, [[1, 22]]))
        assert await peer.next() == Answers(4, "owner", "n3", None, [[1, 22]])


async def test_an_owner_that_is_back_is_told_what_was_charged_in_its_place() -> None:
    """Each check by its id, with what it cost, and what is owed after all of them."""
    async with beside_a_puppet() as (node, owner, peer, key):
        await owner.stop()
        await eventually(lambda: node.peers.by_name["n2"].state is LinkState.DOWN)
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
    async with beside_two_puppets(budget=0.5) as (node, owner, backup, peer):
        ring = node.cluster.ring
        mine, theirs = (key_of_pair("n3", name, ring) for name in ("n1", "n2"))
        owner.gossips = False
        await peer.send(checks(7, *((it, "5/day", 1) for it in (theirs, mine, theirs))))
        asked = await backup.hear(Checks)
        assert [key for key, _, _ in asked.checks] == [theirs, theirs]
        await backup.say(Answers(asked.id, "backup", "n2", None, [[1, 22], [1, 33]]))
        parts = [await peer.next(), await peer.next()]
        by_node = {part.node: part for part in parts if isinstance(part, Answers)}
        assert (by_node["n1"].source, by_node["n1"].positions) == ("backup", [1])
        assert by_node["n2"] == Answers(7, "backup", "n2", [0, 2], [[1, 22], [1, 33]])


async def test_a_silent_owner_costs_one_budget() -> None:
    """Once its share of a budget has run out, an owner isn't asked any more: its backup is.

    The budget is so long that this process may be held up for 0.4 s, and none has stood still.
    """
    async with beside_a_puppet(budget=1.0) as (node, other, peer, key):
        other.gossips = False
        for number in range(1, 100):
            [part] = await answers_to(peer, checks(number, (key, "1000/day", 1)))
            assert (part.source, part.node, part.answers[0][0]) == ("backup", "n1", 1)
            assert node.peers.by_name["n2"].state is LinkState.SUSPECT
        assert [type(it) for it in other.heard].count(Checks) == 1


async def test_what_the_owner_answered_in_time_counts() -> None:
    """When an owner answers in part only, its backup answers the rest."""
    async with beside_a_puppet(budget=0.5) as (_, other, peer, key):
        await peer.send(checks(1, *((key, f"{at}/day", 1) for at in range(1, 4))))
        forwarded = await other.hear(Checks)
        await other.say(Answers(forwarded.id, "owner", "n2", [1], [[1, 22]]))
        assert await peer.next() == Answers(1, "owner", "n2", [1], [[1, 22]])
        assert await peer.next() == Answers(1, "backup", "n1", [0, 2], [[1, DAY], [1, DAY // 3]])
