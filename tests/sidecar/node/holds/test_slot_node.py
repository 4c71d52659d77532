"""Slots of nodes whose clock a test moves: who decides, who is told, and what is free when."""

import pytest

from sidegate.errors import KeyTooLong
from sidegate.protocol.codec import WireError
from sidegate.protocol.holds.slot_messages import (
    FreedBy,
    SlotAnswer,
    SlotAsk,
    SlotMessage,
    SlotsFreed,
    SlotsHeld,
)
from sidegate_ring.hashring import Ring
from sidegate_sidecar.node.holds import slot_holder
from tests.sidecar.node.holds.trio import (
    APP,
    DENIED,
    FAULT,
    GRANTED,
    NOBODY,
    PATIENCE,
    TTL,
    WAITS,
    SlotCluster,
)


@pytest.fixture
def nodes() -> SlotCluster:
    return SlotCluster("a", "b", "c")


def test_the_owner_decides(nodes: SlotCluster) -> None:
    key = nodes.key("b")
    answer = nodes["a"].ask(1, key)
    assert (answer.state, answer.node, answer.source, answer.in_flight) == (
        GRANTED,
        "b",
        "owner",
        1,
    )
    assert nodes["c"].ask(2, key).state is DENIED
    nodes["a"].free(1, key)
    assert nodes["c"].ask(3, key).state is GRANTED


def test_what_is_held_stays_held(nodes: SlotCluster) -> None:
    """As long as its holder says so."""
    key = nodes.key("b")
    nodes["a"].ask(1, key)
    nodes.run(60.0)
    assert nodes["c"].ask(2, key).state is DENIED


def test_a_slot_is_free_when_its_ttl_is_over(nodes: SlotCluster) -> None:
    key = nodes.key("b")
    nodes["a"].say(SlotAsk(1, 0, key, 1, ttl=5_000))
    nodes.run(4.0)
    assert nodes["c"].ask(2, key).state is DENIED
    nodes.run(2.0)
    assert nodes["c"].ask(3, key).state is GRANTED
    assert nodes["a"].node.counts.freed == {FreedBy.EXPIRED: 1}


def test_a_slot_is_free_when_its_app_is_gone(nodes: SlotCluster) -> None:
    key = nodes.key("b")
    nodes["a"].ask(1, key)
    nodes["a"].node.app_left(APP, nodes.now)
    nodes.deliver()
    assert nodes["c"].ask(2, key).state is GRANTED
    assert nodes["a"].node.counts.freed == {FreedBy.DISCONNECTED: 1}


def test_a_slot_is_free_two_seconds_after_its_sidecar_has_died(nodes: SlotCluster) -> None:
    key = nodes.key("b")
    nodes["a"].ask(1, key)
    nodes.kill("a")
    nodes.run(1.4)
    assert nodes["c"].ask(2, key).state is DENIED
    nodes.run(0.7)
    assert nodes["c"].ask(3, key).state is GRANTED
    assert nodes["b"].node.counts.freed == {FreedBy.SILENT: 1}


def test_who_waits_is_told_when_one_is_free(nodes: SlotCluster) -> None:
    key = nodes.key("b")
    nodes["a"].ask(1, key)
    assert nodes["c"].ask(2, key, wait=5_000).state is WAITS
    nodes.run(3.0)
    nodes["a"].free(1, key)
    assert nodes["c"].answers[-1].state is GRANTED


def test_who_waits_in_vain_is_told(nodes: SlotCluster) -> None:
    key = nodes.key("b")
    nodes["a"].ask(1, key)
    nodes["c"].ask(2, key, wait=1_000)
    nodes.run(1.1)
    assert nodes["c"].answers[-1].state is DENIED
    nodes["a"].free(1, key)
    assert nodes.in_flight("b", key) == 0


@pytest.mark.parametrize("leaves", [False, True])
def test_who_waits_no_more_lets_those_behind_it_go_on(nodes: SlotCluster, *, leaves: bool) -> None:
    """They may have asked for one of more, as apps do of which some have a new limit already."""
    key = nodes.key("b")
    nodes["a"].ask(1, key)
    nodes["c"].ask(2, key, wait=1_000)
    assert nodes["a"].ask(3, key, 2, wait=9_000).state is WAITS
    if leaves:
        nodes.kill("c")
    else:
        nodes.run(1.1)
    assert (nodes["a"].answers[-1].slot, nodes["a"].answers[-1].state) == (3, GRANTED)


def test_who_waits_and_is_cancelled_gets_nothing(nodes: SlotCluster) -> None:
    key = nodes.key("b")
    nodes["a"].ask(1, key)
    nodes["c"].ask(2, key, wait=5_000)
    nodes["c"].free(2, key)
    nodes["a"].free(1, key)
    assert nodes.in_flight("b", key) == 0


def test_a_grant_that_nobody_waits_for_is_given_back(nodes: SlotCluster) -> None:
    """As when an app has gone before its sidecar has heard."""
    key = nodes.key("b")
    late = SlotAnswer(7, GRANTED, "b", "owner", 1, holder="a")
    nodes["b"].node.owner.hold([(7, key, 1_000)], "a", nodes.now, claim=True)
    nodes["a"].node.on_message("b", late, nodes.now)
    nodes.deliver()
    assert nodes.in_flight("b", key) == 0


def test_a_grant_of_what_another_node_has_given_meanwhile_is_given_back(nodes: SlotCluster) -> None:
    key = nodes.key("b")
    nodes["a"].ask(1, key)
    nodes["c"].node.owner.hold([(1, key, 1_000)], "a", nodes.now, claim=True)
    late = SlotAnswer(1, GRANTED, "c", "backup", 1, holder="a")
    nodes["a"].node.on_message("c", late, nodes.now)
    nodes.deliver()
    assert [nodes.in_flight(name, key) for name in "abc"] == [0, 1, 0]


def test_nobody_frees_the_slot_of_another_app(nodes: SlotCluster) -> None:
    key = nodes.key("b")
    nodes["a"].ask(1, key)
    nodes["a"].say(SlotsFreed(0, "", FreedBy.RELEASED, [(1, key)]), app=2)
    assert nodes.in_flight("b", key) == 1


def test_an_app_takes_what_it_holds_to_another_connection(nodes: SlotCluster) -> None:
    """Of the same sidecar or of another one; the end of the first frees nothing then."""
    key = nodes.key("b")
    nodes["a"].ask(1, key)
    nodes["a"].say(SlotsHeld(0, "", [(1, key, 5_000)], 1), app=2)
    nodes["a"].node.app_left(APP, nodes.now)
    nodes.deliver()
    assert nodes.in_flight("b", key) == 1
    nodes["c"].say(SlotsHeld(0, "", [(1, key, 5_000)], 1), app=3)
    nodes.run(1.0)
    nodes["a"].node.app_left(2, nodes.now)
    nodes.deliver()
    assert nodes.in_flight("b", key) == 1
    nodes["c"].say(SlotsFreed(0, "", FreedBy.RELEASED, [(1, key)]), app=3)
    assert nodes.in_flight("b", key) == 0


# --- who decides


def test_the_backup_decides_when_the_owner_is_gone_and_knows_what_is_held(
    nodes: SlotCluster,
) -> None:
    key = nodes.key("b", "c")
    nodes["a"].ask(1, key)
    nodes.kill("b")
    answer = nodes["a"].ask(2, key)
    assert (answer.state, answer.node, answer.source) == (DENIED, "c", "backup")
    nodes["a"].free(1, key)
    assert nodes["a"].ask(3, key).state is GRANTED


def test_who_waited_at_an_owner_that_died_waits_at_the_next_one(nodes: SlotCluster) -> None:
    key = nodes.key("b", "c")
    nodes["a"].ask(1, key)
    nodes["c"].ask(2, key, wait=5_000)
    nodes.kill("b")
    nodes["a"].free(1, key)
    assert nodes["c"].answers[-1].state is GRANTED


def test_strict_ones_wait_until_who_decides_knows_all(nodes: SlotCluster) -> None:
    key = nodes.key("b", "c")
    nodes.kill("b")
    assert nodes["a"].ask(1, key, at_most=9).state is GRANTED
    denied = nodes["a"].ask(2, key, at_most=9, strict=1)
    assert (denied.state, denied.retry_after) == (DENIED, 2_000)
    nodes.run(2.1)
    assert nodes["a"].ask(3, key, at_most=9, strict=1).state is GRANTED


def test_a_node_that_has_just_begun_gives_no_strict_ones() -> None:
    nodes = SlotCluster("a")
    nodes["a"].node = type(nodes["a"].node)(nodes["a"], patience=1, now=nodes.now)
    assert nodes["a"].ask(1, "k", strict=1).state is DENIED
    assert nodes["a"].ask(2, "k").state is GRANTED


def key_of_former(nodes: SlotCluster) -> str:
    """Have the ring lack b; return a key of c that is b's as soon as the ring has it again."""
    nodes.ring_of("a", "c")
    nodes.run(3.0)
    before, after = nodes["a"].ring, Ring(["a", "b", "c"])
    keys = (f"k{at}" for at in range(10_000))
    return next(it for it in keys if (before.pair(it)[0], after.pair(it)[0]) == ("c", "b"))


@pytest.mark.parametrize("at", ["a", "b"])
def test_who_is_cancelled_while_the_former_owner_decides_holds_nothing(
    nodes: SlotCluster, at: str
) -> None:
    """Neither there nor at the new owner, which has noted what the former one granted."""
    key = key_of_former(nodes)
    nodes.ring_of("a", "b", "c")
    ask, freed = SlotAsk(2, 0, key, 1, TTL), SlotsFreed(0, "", FreedBy.RELEASED, [(2, key)])
    for message in (ask, freed):  # before anybody has heard of either
        nodes[at].node.on_message(APP, message, nodes.now)
    nodes.deliver()
    assert [nodes.in_flight(name, key) for name in "abc"] == [0, 0, 0]


def test_the_former_owner_decides_while_the_new_one_hears_what_is_held(nodes: SlotCluster) -> None:
    key = key_of_former(nodes)
    nodes["a"].ask(1, key, at_most=2)
    nodes.ring_of("a", "b", "c")
    assert nodes["a"].ask(2, key, at_most=2).node == "c"
    assert nodes["a"].ask(3, key, at_most=2).state is DENIED
    assert nodes["a"].ask(4, key, at_most=2, strict=1).state is DENIED
    nodes.run(1.1)
    denied = nodes["a"].ask(5, key, at_most=2)
    assert (denied.state, denied.node, denied.in_flight) == (DENIED, "b", 2)
    nodes["a"].free(1, key)
    assert nodes["a"].ask(6, key, at_most=2, strict=1).node == "b"


def test_an_owner_that_is_silent_is_asked_nothing_for_a_while(nodes: SlotCluster) -> None:
    key = nodes.key("b", "c")
    nodes["a"].ask(1, key)
    nodes.run(0.1)
    nodes.deaf.add("b")
    nodes["a"].say(SlotAsk(2, 0, key, 9, 1_000))
    nodes.run(0.04)
    answer = nodes["a"].answers[-1]
    assert (answer.slot, answer.state, answer.node) == (2, GRANTED, "c")
    assert nodes["a"].doubted == ["b"]
    assert nodes["a"].ask(3, key, at_most=9).node == "c"


def test_an_owner_that_answers_late_is_the_only_one_to_have_given_it(nodes: SlotCluster) -> None:
    """Its backup was asked meanwhile, has given the same slot, and is told that it hasn't."""
    key = nodes.key("b", "c")
    nodes["a"].node.on_message(APP, SlotAsk(1, 0, key, 1, TTL), nodes.now)
    nodes.now += 2 * PATIENCE
    nodes["a"].node.tick(nodes.now)
    nodes.deliver()
    assert (nodes["a"].answers[-1].state, nodes["a"].answers[-1].node) == (GRANTED, "b")
    assert [nodes.in_flight(name, key) for name in "abc"] == [0, 1, 0]


def test_strict_ones_are_not_given_for_an_owner_that_is_silent(nodes: SlotCluster) -> None:
    key = nodes.key("b", "c")
    nodes.deaf.add("b")
    nodes["a"].say(SlotAsk(2, 0, key, 9, 1_000, strict=1))
    nodes.run(0.04)
    assert nodes["a"].answers[-1].state is DENIED


def test_nobody_is_left_to_ask(nodes: SlotCluster) -> None:
    key = nodes.key("b", "c")
    nodes.kill("b")
    nodes.kill("c")
    assert nodes["a"].ask(1, key).state is NOBODY


def test_an_owner_is_asked_by_way_of_its_backup(nodes: SlotCluster) -> None:
    """Where two can't hear each other, and a third hears both."""
    key = nodes.key("b", "c")
    nodes.cut |= {("a", "b"), ("b", "a")}
    nodes["a"].node.node_left("b", nodes.now)
    nodes["b"].node.node_left("a", nodes.now)
    answer = nodes["a"].ask(1, key)
    assert (answer.state, answer.node) == (GRANTED, "b")
    nodes.run(10.0)
    assert nodes["c"].ask(2, key).state is DENIED
    nodes["a"].free(1, key)
    assert nodes["c"].ask(3, key).state is GRANTED


def test_an_owner_that_stood_still_has_forgotten_nothing(nodes: SlotCluster) -> None:
    key = nodes.key("b")
    nodes["a"].ask(1, key)
    nodes.deaf.add("b")
    nodes.run(5.0)
    nodes.deaf.clear()
    nodes.run(0.02)
    assert nodes.in_flight("b", key) == 1


# --- bounds, and what makes no sense


def test_no_more_are_held_by_one_sidecar(
    nodes: SlotCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_holder, "MAX_HELD", 3)
    for slot in range(3):
        assert nodes["a"].ask(slot, f"k{slot}").state is GRANTED
    denied = nodes["a"].ask(9, "k9")
    assert (denied.state, denied.why) == (FAULT, "3 slots are held by apps of a, no more fit")


@pytest.mark.parametrize(
    "message",
    [
        SlotAnswer(1, GRANTED, "a", "owner", 1),
        SlotAsk(1, 0, "k", 1, 1_000, holder="b"),
        SlotAsk(1, 1, "k", 1, 1_000),
        SlotsHeld(0, "b", []),
        SlotsFreed(1, "", FreedBy.RELEASED, []),
    ],
)
def test_what_no_app_may_say(nodes: SlotCluster, message: SlotMessage) -> None:
    with pytest.raises(WireError):
        nodes["a"].say(message)


@pytest.mark.parametrize(
    "message",
    [
        SlotAsk(1, 1, "k", 1, 1_000),
        SlotAnswer(1, GRANTED, "a", "owner", 1),
        SlotsHeld(1, "", []),
        SlotsFreed(1, "", FreedBy.RELEASED, []),
    ],
)
def test_what_no_node_may_say(nodes: SlotCluster, message: SlotMessage) -> None:
    with pytest.raises(WireError, match="of no holder"):
        nodes["a"].node.on_message("b", message, nodes.now)


@pytest.mark.parametrize("source", [APP, "b"])
def test_a_key_that_is_too_long(nodes: SlotCluster, source: int | str) -> None:
    holder = "b" if source == "b" else ""
    for message in (
        SlotAsk(1, 0, "k" * 513, 1, 1_000, holder=holder),
        SlotsHeld(0, holder, [(1, "k" * 513, 1_000)]),
    ):
        with pytest.raises(KeyTooLong):
            nodes["a"].node.on_message(source, message, nodes.now)


def test_who_waits_for_a_silent_owner_is_not_taken_for_silent(nodes: SlotCluster) -> None:
    """Of its own keys it decides as ever: who stood in for it would know of no slots."""
    key, its_own = nodes.key("b", "c"), nodes.key("c", "a")
    assert nodes["c"].ask(1, its_own).state is GRANTED
    nodes.deaf.add("b")
    for slot in (2, 3):  # of b, and then by way of c, which asks b
        nodes["a"].node.on_message(1, SlotAsk(slot, 0, key, 1, TTL), nodes.now)
        nodes.deliver()
        nodes.run(0.04)
    assert nodes["a"].ask(4, its_own).state is DENIED
