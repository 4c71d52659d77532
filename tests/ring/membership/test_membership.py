"""Membership: which rumor holds, who is probed and suspected, and who is never to be blamed."""

import pytest

from sidegate_ring.membership.members import MAX_LIVING, MAX_TOMBSTONES
from sidegate_ring.membership.membership import Life, Membership, Rumor, SwimKind, SwimMessage
from sidegate_ring.membership.messages import MAX_IN_FULL, MAX_INCARNATION
from tests.ring.handful import TICK, Handful, T, record, rumor

ALIVE, SUSPECT, DEAD, LEFT = Life.ALIVE, Life.SUSPECT, Life.DEAD, Life.LEFT

# Which rumor holds


@pytest.mark.parametrize(
    ("known", "said", "holds"),
    [
        ((10, ALIVE), (10, ALIVE), "known"),
        ((10, ALIVE), (9, DEAD), "known"),
        ((10, ALIVE), (11, ALIVE), "said"),
        ((10, ALIVE), (10, SUSPECT), "said"),
        ((10, ALIVE), (10, DEAD), "said"),
        ((10, ALIVE), (10, LEFT), "said"),
        ((10, SUSPECT), (10, ALIVE), "known"),
        ((10, SUSPECT), (11, ALIVE), "said"),
        ((10, SUSPECT), (11, SUSPECT), "said"),
        ((10, SUSPECT), (10, DEAD), "said"),
        ((10, DEAD), (10, ALIVE), "known"),
        ((10, DEAD), (10, SUSPECT), "known"),
        ((10, DEAD), (11, ALIVE), "said"),
        ((10, DEAD), (10, LEFT), "said"),
        ((10, LEFT), (10, ALIVE), "known"),
        ((10, LEFT), (10, DEAD), "known"),
        ((10, LEFT), (11, ALIVE), "said"),
    ],
)
def test_the_higher_incarnation_holds_then_the_worse_state(
    known: tuple[int, Life], said: tuple[int, Life], holds: str
) -> None:
    room = Handful("ab")
    room.tell(room["a"], rumor("b", *known))
    outcome = room.tell(room["a"], rumor("b", *said))
    assert record(room["a"].members["b"]) == (said if holds == "said" else known)
    assert [it.name for it in outcome.changed] == (["b"] if holds == "said" else [])


@pytest.mark.parametrize(
    "kind", [SwimKind.PING, SwimKind.ACK, SwimKind.PING_REQ, SwimKind.NACK, SwimKind.RUMORS]
)
def test_dead_is_dead_in_any_message_about_news(kind: SwimKind) -> None:
    room = Handful("ab")
    room.tell(room["a"], rumor("b", 10, DEAD, by="x"), kind=kind)
    assert room.state("b", by="a") == DEAD


@pytest.mark.parametrize("kind", [SwimKind.PUSH_PULL, SwimKind.FULL_STATE])
def test_where_all_is_exchanged_dead_is_but_a_suspicion_and_left_is_left(kind: SwimKind) -> None:
    room = Handful("abc")
    room.tell(room["a"], rumor("b", 10, DEAD), rumor("c", 10, LEFT), kind=kind)
    assert record(room["a"].members["b"]) == (10, SUSPECT)
    assert room["a"].members["b"].by == "stranger"
    assert room.state("c", by="a") == LEFT
    room.tell(room["a"], rumor("b", 11))
    assert room.state("b", by="a") == ALIVE


def test_an_exchange_spreads_a_suspicion_and_not_a_death() -> None:
    """Also when it is the second to tell of it, and so a confirmation."""
    room = Handful("abc")
    room.tell(room["a"], rumor("b", 10, DEAD, by="x"), kind=SwimKind.FULL_STATE)
    room.tell(room["a"], rumor("b", 10, DEAD, by="y"), kind=SwimKind.FULL_STATE)
    room.run(T.news_every + TICK, only="a")
    news = [it for gossip in room.said(SwimKind.RUMORS, "a") for it in gossip.rumors]
    assert {(it.name, it.state, it.by) for it in news if it.name == "b"} == {("b", SUSPECT, "y")}


def test_a_node_that_starts_again_is_welcome_at_once_with_a_new_address() -> None:
    room = Handful("ab")
    room.tell(room["a"], rumor("b", 10, DEAD))
    assert room["a"].owners() == ("a",)
    room.tell(room["a"], rumor("b", 11, address="elsewhere:1", owner=0))
    assert room["a"].members["b"].address == "elsewhere:1"
    assert room["a"].owners() == ("a",)
    room.tell(room["a"], rumor("b", 12, address="elsewhere:1"))
    assert room["a"].owners() == ("a", "b")


def test_a_clock_that_went_back_makes_no_one_wait() -> None:
    """The node hears of its former life, and takes a higher incarnation than that."""
    room = Handful("ab")
    room.tell(room["a"], rumor("b", 10, DEAD))
    room.nodes["b"] = room.make("b", incarnation=3)
    room.do("a", room["a"].on_connected("b", room.now))
    assert room["b"].me.incarnation == 11
    room.run(2 * T.news_every)
    assert record(room["a"].members["b"]) == (11, ALIVE)


def test_owners_are_those_on_the_ring_that_are_not_dead() -> None:
    room = Handful("dacb")
    room.tell(room["a"], rumor("b", 11, owner=0), rumor("c", 10, SUSPECT), rumor("d", 10, DEAD))
    assert room["a"].owners() == ("a", "c")
    assert sorted(it.name for it in room["a"].living()) == ["b", "c"]
    assert [it.name for it in room["a"].dead()] == ["d"]


# What is said of me


@pytest.mark.parametrize(
    ("said", "incarnation", "health"),
    [
        (rumor("a", 9, DEAD), 10, 0),  # of a life before
        (rumor("a", 10), 10, 0),
        (rumor("a", 10, address="127.0.0.1:4222"), 10, 0),  # mine may be a wildcard
        (rumor("a", 10, owner=0), 11, 0),
        (rumor("a", 10, SUSPECT), 11, 1),
        (rumor("a", 10, DEAD), 11, 1),
        (rumor("a", 10, LEFT), 11, 0),
        (rumor("a", 30), 31, 0),
        (rumor("a", 30, DEAD), 31, 1),
        (rumor("a", MAX_INCARNATION, DEAD), MAX_INCARNATION, 1),  # lost: it can't be refuted
    ],
)
def test_what_is_not_so_is_refuted(said: Rumor, incarnation: int, health: int) -> None:
    room = Handful("ab")
    outcome = room.tell(room["a"], said)
    assert room["a"].me.incarnation == incarnation
    assert room["a"].health == health
    refuted = said.incarnation >= 10 and said.incarnation + 1 != 10 and incarnation != 10
    assert [it.name for it in outcome.changed] == (["a"] if refuted else [])
    room.run(2 * T.news_every)
    assert room["b"].members["a"].incarnation == incarnation


def test_a_refutation_reaches_everyone() -> None:
    room = Handful("abcdefg")
    for name in "bcdefg":
        room.tell(room[name], rumor("a", 10, SUSPECT, by="x"))
    room.run(2.0)
    assert {record(room[name].members["a"]) for name in "bcdefg"} == {(11, ALIVE)}


def test_a_refutation_is_news_and_waits_for_no_ping() -> None:
    room = Handful("abcd")
    room.tell(room["a"], rumor("a", 10, SUSPECT, by="x"))
    room["a"].probe_at = room.now + 60
    room.run(T.news_every + TICK, only="a")
    assert {record(room[name].members["a"]) for name in "bcd"} == {(11, ALIVE)}


def test_news_go_with_pings_and_their_answers_too() -> None:
    room = Handful("abc")
    room.tell(room["a"], rumor("x", 10, LEFT))  # so that no probe of them has to speak of them
    room.tell(room["b"], rumor("y", 10, LEFT))
    for node in room.nodes.values():
        node._news_at = room.now + 60
    room.run(3.0)
    assert not room.said(SwimKind.RUMORS)
    assert all({"x", "y"} <= set(node.members) for node in room.nodes.values())


# Coming and going


def test_an_announcement_goes_to_everyone_at_once() -> None:
    room = Handful("abcdefg")
    room.do("a", room["a"].announce(room.now, owner=False))
    assert {to for _, to, _ in room.log} == set("bcdefg")
    assert all(room[name].owners() == tuple("bcdefg") for name in "abcdefg")
    assert record(room["b"].members["a"]) == (11, ALIVE)
    assert ("a", "a", ALIVE) in room.changed


def test_one_who_has_left_refutes_nothing_probes_nobody_and_still_answers() -> None:
    room = Handful("abc")
    room.do("a", room["a"].announce(room.now, left=True))
    assert {record(room[name].members["a"]) for name in "bc"} == {(11, LEFT)}
    room.tell(room["a"], rumor("a", 12, DEAD))
    assert record(room["a"].me) == (11, LEFT)
    room.do("b", room["b"].tick(room.now))
    room.forget()
    room.run(3.0, only="a")
    assert not room.said(SwimKind.PING)
    outcome = room["a"].step("b", SwimMessage(SwimKind.PING, 7, "", "", []), room.now)
    assert [(to, it.kind, it.id) for to, it in outcome.sends] == [("b", SwimKind.ACK, 7)]
    assert not room["a"].on_disconnected("b", room.now).sends


def test_one_who_has_left_does_not_come_back_by_an_announcement() -> None:
    room = Handful("ab")
    room.do("a", room["a"].announce(room.now, left=True))
    room.do("a", room["a"].announce(room.now, owner=True))
    assert room["a"].me.state == LEFT
    assert room["b"].owners() == room["a"].owners() == ("b",)


def test_a_link_that_comes_up_has_everything_exchanged() -> None:
    """Also with one that nobody here has heard of."""
    room = Handful("abc")
    room.nodes["d"] = room.make("d")
    room.do("a", room["a"].on_connected("d", room.now))
    assert room["d"].owners() == ("a", "b", "c", "d")
    assert not room.said(SwimKind.FULL_STATE, "a")
    (asked,) = room.said(SwimKind.PUSH_PULL, "a", "d")
    (answer,) = room.said(SwimKind.FULL_STATE, "d", "a")
    assert answer.id == asked.id
    assert {it.name for it in asked.rumors} == set("abc")
    room.run(1.0)
    assert {node.owners() for node in room.nodes.values()} == {("a", "b", "c", "d")}


def test_two_rings_are_compared_by_their_digests_at_most_once_a_second() -> None:
    room = Handful("ab")
    room["a"].digest, room["b"].digest = "one", "other"
    room.run(5.0)
    assert 4 <= len(room.said(SwimKind.PUSH_PULL, "a")) <= 6
    assert room["a"].members["b"].digest == "other"
    assert {gossip.digest for by, _, gossip in room.log if by == "a"} == {"one"}


@pytest.mark.parametrize("digests", [("same", "same"), ("", "other"), ("one", "")])
def test_equal_rings_and_those_that_have_none_yet_exchange_nothing(
    digests: tuple[str, str],
) -> None:
    room = Handful("ab")
    room["a"].digest, room["b"].digest = digests
    room.run(5.0)
    assert not room.said(SwimKind.PUSH_PULL)


def test_now_and_then_everything_is_exchanged_anyway() -> None:
    room = Handful("abc")
    room.run(2 * T.exchange_every)
    assert 2 <= len(room.said(SwimKind.PUSH_PULL, "a")) <= 3


def test_more_than_a_message_holds_goes_in_several() -> None:
    room = Handful("a")
    for state in (Life.ALIVE, LEFT):
        rumors = [rumor(f"{state.name}{i}", 10, state) for i in range(MAX_IN_FULL)]
        room.tell(room["a"], *rumors, kind=SwimKind.FULL_STATE)
    sends = room["a"].on_connected("b", room.now).sends
    assert [(it.kind, len(it.rumors)) for _, it in sends] == [
        (SwimKind.PUSH_PULL, 1_000),
        (SwimKind.FULL_STATE, 1_000),
        (SwimKind.FULL_STATE, 1),
    ]


@pytest.mark.parametrize("state", [DEAD, LEFT])
def test_a_tombstone_keeps_out_what_was_said_before_until_it_is_forgotten(state: Life) -> None:
    room = Handful("ab")
    room.tell(room["a"], rumor("x", 10))
    room.tell(room["a"], rumor("x", 10, state))
    room.run(T.tombstone - 5, only="a")
    assert not room.tell(room["a"], rumor("x", 10)).changed
    room.run(10, only="a")
    assert "x" not in room["a"].members
    assert room.tell(room["a"], rumor("x", 10)).changed


def test_that_an_unknown_left_is_remembered_and_that_one_died_is_not() -> None:
    room = Handful("ab")
    outcome = room.tell(room["a"], rumor("x", 10, LEFT), rumor("y", 10, DEAD))
    assert not outcome.changed
    assert room.state("x", by="a") == LEFT
    assert "y" not in room["a"].members


@pytest.mark.parametrize(("kind", "told"), [(SwimKind.RUMORS, True), (SwimKind.FULL_STATE, False)])
def test_that_an_unknown_left_is_passed_on_unless_it_is_old_news(
    kind: SwimKind, told: bool
) -> None:
    room = Handful("ab")
    room.tell(room["a"], rumor("x", 10, LEFT), kind=kind)
    room.run(1.0)
    assert ("x" in room["b"].members) == told


def test_the_oldest_of_too_many_tombstones_goes() -> None:
    room = Handful("a")
    for at in range(MAX_TOMBSTONES + 10):
        room.tell(room["a"], rumor(f"n{at}", 10, LEFT))
    assert len(room["a"].members) == MAX_TOMBSTONES
    assert "n9" not in room["a"].members
    assert "n10" in room["a"].members


def test_no_more_are_living_than_may_be() -> None:
    room = Handful("a")
    for at in range(MAX_LIVING + 10):
        room.tell(room["a"], rumor(f"n{at}", 10, SUSPECT if at % 2 else ALIVE))
    assert len(room["a"].living()) == len(room["a"].members) == MAX_LIVING
    room.tell(room["a"], rumor("n0", 10, DEAD))
    room.tell(room["a"], rumor("one more"))
    assert "one more" in room["a"].members


@pytest.mark.parametrize(
    ("gossip", "text"),
    [
        (SwimMessage(7, 0, "", "", []), "kind 7"),
        (SwimMessage(-1, 0, "", "", []), "kind -1"),
        (SwimMessage(SwimKind.PING_REQ, 0, "x" * 254, "", []), "about 'xxx.* has 254 bytes"),
        (rumor("", address="a:1"), "''.* empty"),
        (rumor("x\ny"), r"'x\\ny'.* doesn't print"),
        (rumor("é" * 127), "name 'éé.* has 254 bytes"),
        (rumor("x", address="y" * 301), "address 'yy.* has 301 bytes"),
        (rumor("x", by="y" * 254), "by 'yy.* has 254 bytes"),
        (rumor("x", -1), "incarnation -1"),
        (rumor("x", MAX_INCARNATION + 1), f"incarnation {MAX_INCARNATION + 1}"),
        (rumor("x")._replace(state=4), "state 4"),
        (rumor("x")._replace(state=-1), "state -1"),
        (rumor("x", owner=2), "owner 2"),
    ],
)
def test_what_makes_no_sense_is_named_and_changes_nothing(
    gossip: SwimMessage | Rumor, text: str
) -> None:
    room = Handful("ab")
    if isinstance(gossip, Rumor):
        gossip = SwimMessage(SwimKind.PING, 1, "", "", [rumor("b", 11), gossip])
    with pytest.raises(ValueError, match=text):
        room["a"].step("b", gossip, room.now)
    assert record(room["a"].members["b"]) == (10, ALIVE)
    assert not room["a"].tick(room.now).sends


def test_names_and_addresses_may_be_as_long_as_dns_has_them() -> None:
    room = Handful("a")
    room.tell(room["a"], rumor("é" * 126, address="y" * 300, by="z" * 253))
    assert "é" * 126 in room["a"].members


def test_a_message_under_ones_own_name_is_not_heard() -> None:
    room = Handful("ab")
    outcome = room["a"].step("a", SwimMessage(SwimKind.PING, 1, "", "", [rumor("x")]), room.now)
    assert outcome == ([], [])
    assert room["a"].on_connected("a", room.now) == ([], [])


def test_a_node_alone_has_nothing_to_say() -> None:
    node = Membership("a", "a:1", incarnation=1, randrange=lambda _: 0, now=0.0, owner=True)
    assert all(node.tick(second / 4) == ([], []) for second in range(400))
    assert node.owners() == ("a",)
    assert node.digest == ""
