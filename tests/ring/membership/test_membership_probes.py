"""Membership: probes, suspicion, and health; in handfuls of real nodes."""

import pytest

from sidegate_ring.membership.membership import Life, SwimKind, SwimMessage
from sidegate_ring.membership.parameters import least_suspicion
from sidegate_ring.membership.probes import MAX_INDIRECT_PROBES
from tests.ring.handful import TICK, Handful, T, record, rumor

ALIVE, SUSPECT, DEAD, LEFT = Life.ALIVE, Life.SUSPECT, Life.DEAD, Life.LEFT
LEAST = least_suspicion(T, 3)
MOST = LEAST * T.suspicion_most


def run_until_pinged(room: Handful, by: str, whom: str) -> SwimMessage:
    """Let time pass until the turn of that one has come."""
    for _ in range(400):
        if pings := room.said(SwimKind.PING, by, whom):
            return pings[-1]
        room.run(TICK, only=by)
    raise AssertionError(f"{by} never pings {whom}")


# Probes


def test_everyone_is_probed_once_in_a_round() -> None:
    room = Handful("abcdefgh")
    node = room["a"]
    while node._round.names:  # the rest of a round
        room.run(TICK)
    room.forget()
    room.run(7 * (T.probe_every + TICK))
    assert sorted(to for by, to, it in room.log if (by, it.kind) == ("a", SwimKind.PING)) == list(
        "bcdefgh"
    )


def test_a_newcomer_is_somewhere_in_the_round_once() -> None:
    room = Handful("abcdefgh")
    room.tell(room["a"], rumor("x"), rumor("y"))
    room.tell(room["a"], rumor("x", 11))
    assert room["a"]._round.names.count("x") <= 1
    for incarnation in range(20, 60):
        room.tell(room["a"], rumor("x", incarnation, DEAD))
        room.tell(room["a"], rumor("x", incarnation + 1))
    assert len(room["a"]._round.names) <= len(room["a"].living()) + 1


def test_pings_and_answers_say_who_one_is_and_what_one_thinks_of_the_other() -> None:
    room = Handful("abc")
    ping = run_until_pinged(room, "a", "b")
    assert list(ping.rumors[:2]) == [rumor("a"), rumor("b")]
    (ack,) = (it for it in room.said(SwimKind.ACK, "b", "a") if it.id == ping.id)
    assert list(ack.rumors[:2]) == [rumor("b"), rumor("a")]


def test_a_suspect_hears_of_it_with_the_ping_and_refutes_with_the_answer() -> None:
    room = Handful("ab")
    room.tell(room["a"], rumor("b", 10, SUSPECT, by="x"))
    ping = run_until_pinged(room, "a", "b")
    assert rumor("b", 10, SUSPECT, by="x") in ping.rumors
    assert record(room["a"].members["b"]) == (11, ALIVE)


def test_who_does_not_answer_in_time_is_asked_for_by_others() -> None:
    room = Handful("abcdef")
    room.deaf = {"f"}
    ping = run_until_pinged(room, "a", "f")
    assert not room.said(SwimKind.PING_REQ, "a")
    room.run(T.probe_within + TICK, only="a")
    relays = room.said(SwimKind.PING_REQ, "a")
    assert {(it.id, it.about) for it in relays} == {(ping.id, "f")}
    assert (
        len({to for by, to, it in room.log if (by, it.kind) == ("a", SwimKind.PING_REQ)})
        == T.indirect_probes
    )
    assert "f" not in {to for _, to, it in room.log if it.kind == SwimKind.PING_REQ}


def test_who_is_doubted_is_pinged_by_us_and_others_at_once_but_only_once_at_a_time() -> None:
    """Somebody else may know another way."""
    room = Handful("abc")
    room.forget()
    room.deaf = {"b"}
    for _ in range(2):
        room.do("a", room["a"].doubt("b", room.now))
    assert len(room.said(SwimKind.PING, "a", "b")) == 1
    assert [it.about for it in room.said(SwimKind.PING_REQ, "a", "c")] == ["b"]
    room.do("a", room["a"].doubt("nobody", room.now))
    assert len(room.said(SwimKind.PING_REQ, "a")) == 1


def test_all_are_probed_at_once_in_twice_the_time_however_unwell_we_are() -> None:
    """A node that is alone knows it as soon as any other."""
    room = Handful("abcde")
    room["a"]._probes.worsen(7)
    room.deaf = set("bcde")
    room.forget()
    for _ in range(2):
        room.do("a", room["a"].probe_all(room.now))
    assert sorted(it for it in "bcde" if room.said(SwimKind.PING, "a", it)) == list("bcde")
    assert len(room.said(SwimKind.PING, "a")) == 4
    room.run(2 * T.probe_every + 2 * TICK, only="a")
    assert {room.state(it, by="a") for it in "bcde"} == {SUSPECT}


def test_a_probe_that_was_to_take_its_time_ends_with_those_of_all() -> None:
    """A node that is unwell may be alone: whom it gives four seconds it misses too late."""
    room = Handful("abcd")
    room.deaf = {"b"}
    node = room["a"]
    node._probes.worsen(T.health)
    node._probe("b", room.now)
    room.do("a", node.probe_all(room.now))
    room.run(T.probe_within + TICK, only="a")
    assert room.said(SwimKind.PING_REQ, "a")
    room.run(2 * T.probe_every - T.probe_within - 5 * TICK, only="a")
    assert room.state("b", by="a") == ALIVE
    room.run(6 * TICK, only="a")
    assert room.state("b", by="a") == SUSPECT


def test_a_bad_way_between_two_is_not_taken_for_a_death() -> None:
    """The answer comes by way of another, and says so."""
    room = Handful("abc")
    room.deaf = {"b"}
    ping = run_until_pinged(room, "a", "b")
    room.deaf = set()
    room.run(T.probe_within + TICK, only="a")
    (ack,) = (it for it in room.said(SwimKind.ACK, "c", "a") if it.about == "b")
    assert ack.id == ping.id
    assert rumor("b") in ack.rumors
    room.run(T.probe_every, only="a")
    assert room.state("b", by="a") == ALIVE
    assert room["a"].health == 0


@pytest.mark.parametrize(
    ("sender", "about", "ends"),
    [("d", "", False), ("d", "b", False), ("c", "", False), ("b", "", True)],
)
def test_an_answer_counts_only_from_the_target_or_from_one_who_was_asked(
    sender: str, about: str, ends: bool
) -> None:
    room = Handful("abcd")
    room.deaf = {"b"}
    ping = run_until_pinged(room, "a", "b")
    room["a"].step(sender, SwimMessage(SwimKind.ACK, ping.id, about, "", []), room.now)
    assert (room["a"]._probes.of("b") is None) == ends


def test_the_one_who_was_asked_says_nack_in_time_and_still_passes_on_a_late_answer() -> None:
    room = Handful("abc")
    room.deaf = {"b"}
    node = room["c"]
    node.step("a", SwimMessage(SwimKind.PING_REQ, 77, "b", "", []), room.now)
    ping = node._last_id
    assert not node.tick(room.now + 0.7 * T.probe_within).sends
    sends = node.tick(room.now + 0.8 * T.probe_within).sends
    assert [(to, it.kind, it.id, it.about) for to, it in sends] == [("a", SwimKind.NACK, 77, "b")]
    assert not any(it.kind == SwimKind.NACK for _, it in node.tick(room.now + 0.3).sends)
    late = SwimMessage(SwimKind.ACK, ping, "", "", [])
    assert not node.step("a", late, room.now + 0.3).sends  # from another: not the answer
    sends = node.step("b", late, room.now + 0.3).sends
    assert [(to, it.kind, it.id, it.about) for to, it in sends] == [("a", SwimKind.ACK, 77, "b")]
    assert not node.step("b", late, room.now + 0.3).sends


def test_who_runs_too_many_indirect_probes_says_nack_at_once() -> None:
    room = Handful("abc")
    relay = SwimMessage(SwimKind.PING_REQ, 77, "b", "", [])
    kinds = [
        it.kind
        for _ in range(MAX_INDIRECT_PROBES + 1)
        for _, it in room["c"].step("a", relay, room.now).sends
    ]
    assert kinds == [SwimKind.PING] * MAX_INDIRECT_PROBES + [SwimKind.NACK]
    room["c"].tick(room.now + T.probe_every)
    assert not room["c"]._probes._indirect


@pytest.mark.parametrize("target", ["", "c", "a"])
def test_an_indirect_probe_that_leads_nowhere_is_not_run(target: str) -> None:
    room = Handful("abc")
    assert (
        not room["c"].step("a", SwimMessage(SwimKind.PING_REQ, 1, target, "", []), room.now).sends
    )


# Suspicion


def test_who_is_silent_is_a_suspect_first_and_dead_only_after_its_time() -> None:
    room = Handful("abc")
    room.deaf = {"c"}
    start = room.now
    while not room.said(SwimKind.PING, "", "c"):
        room.run(TICK, only="ab")
    silent_since = room.now
    states: dict[Life, float] = {}
    while DEAD not in states and room.now < start + 20:
        room.run(TICK, only="ab")
        states.setdefault(room.state("c", by="a"), room.now - silent_since)
    assert T.probe_every <= states[SUSPECT] <= T.probe_every * 3
    assert states[DEAD] - states[SUSPECT] >= LEAST - 2 * TICK
    assert room["a"].owners() == ("a", "b")


def test_a_suspect_stays_on_the_ring() -> None:
    room = Handful("abc")
    room.tell(room["a"], rumor("c", 10, SUSPECT, by="x"))
    assert room["a"].owners() == ("a", "b", "c")


@pytest.mark.parametrize(("accusers", "seconds"), [("x", MOST), ("xx", MOST), ("xy", LEAST)])
def test_a_suspicion_that_another_confirms_lasts_less(accusers: str, seconds: float) -> None:
    room = Handful("abc")
    room.deaf = {"a"}
    for by in accusers:
        assert room["a"].me.living
        room.tell(room["a"], rumor("c", 10, SUSPECT, by=by))
    room["a"].probe_at = room.now + 60  # it doesn't look for itself
    room.run(seconds - 2 * TICK, only="a")
    assert room.state("c", by="a") == SUSPECT
    room.run(4 * TICK, only="a")
    assert room.state("c", by="a") == DEAD
    assert room["a"].members["c"].by == "a"


def test_a_confirmation_is_passed_on_but_changes_nothing() -> None:
    room = Handful("abcd")
    room.tell(room["a"], rumor("d", 10, SUSPECT, by="x"))
    outcome = room.tell(room["a"], rumor("d", 10, SUSPECT, by="y"))
    assert not outcome.changed
    outcome = room["a"].tick(room.now + T.news_every)
    told = {it.by for _, gossip in outcome.sends for it in gossip.rumors if it.name == "d"}
    assert "y" in told


def test_a_node_is_busy_while_somebody_is_probed_suspected_or_to_be_told_of() -> None:
    room = Handful("abc")
    room.run(5.0)
    node = room["a"]
    room.run_until(lambda: not node.is_busy)
    room.deaf = {"b"}
    room.do("a", node.doubt("b", room.now))
    assert node.is_busy
    room.run_until(lambda: room.state("b", by="a") == SUSPECT)
    node._probes.clear()
    while node._outgoing.has_news:
        room.run(TICK)
    assert node.is_busy  # the suspicion ends on time
    room.run_until(lambda: room.state("b", by="a") == DEAD)
    room.run_until(lambda: not node.is_busy)


def test_one_who_has_left_declares_nobody_dead() -> None:
    """It isn't told any more that a suspect has refuted."""
    room = Handful("abc")
    room.tell(room["a"], rumor("c", 10, SUSPECT, by="x"))
    room.deaf = {"a"}
    room.do("a", room["a"].announce(room.now, left=True))
    room.run(2 * MOST, only="a")
    assert room.state("c", by="a") == SUSPECT


# Links that break


def test_when_a_link_breaks_others_are_asked_at_once() -> None:
    room = Handful("abc")
    outcome = room["a"].on_disconnected("c", room.now)
    assert [(to, it.kind, it.about) for to, it in outcome.sends] == [("b", SwimKind.PING_REQ, "c")]
    assert not outcome.changed
    assert not room["a"].on_disconnected("c", room.now).sends  # it is being looked into
    room.do("a", outcome)
    room.run(2 * T.probe_every)
    assert room.state("c", by="a") == ALIVE


def test_when_a_link_breaks_and_there_is_nobody_to_ask_the_other_is_a_suspect() -> None:
    room = Handful("ab")
    room.deaf = {"b"}
    outcome = room["a"].on_disconnected("b", room.now)
    assert [(it.name, it.state) for it in outcome.changed] == [("b", SUSPECT)]
    room.run(LEAST + 2 * TICK, only="a")
    assert room.state("b", by="a") == DEAD


def test_suspects_are_not_asked_about_others() -> None:
    room = Handful("abc")
    room.tell(room["a"], rumor("b", 10, SUSPECT, by="x"))
    room["a"].on_disconnected("c", room.now)
    assert room.state("c", by="a") == SUSPECT


@pytest.mark.parametrize("state", [DEAD, LEFT])
def test_a_link_to_one_who_is_gone_or_unknown_may_break(state: Life) -> None:
    room = Handful("abc")
    room.tell(room["a"], rumor("c", 10, state))
    assert room["a"].on_disconnected("c", room.now) == ([], [])
    assert room["a"].on_disconnected("unknown", room.now) == ([], [])


def test_a_dead_node_is_tried_again_and_refutes_if_it_hears() -> None:
    """That heals a split whose links never broke."""
    room = Handful("abc")
    for name in "ab":
        room.tell(room[name], rumor("c", 10, DEAD))
    for name in "ab":
        room.tell(room["c"], rumor(name, 10, DEAD))
    room.run(2 * T.reconnect_every + 2 * T.news_every)
    assert {node.owners() for node in room.nodes.values()} == {("a", "b", "c")}


def test_one_who_has_left_is_left_alone() -> None:
    room = Handful("abc")
    room.do("c", room["c"].announce(room.now, left=True))
    room.run(1.0)
    room.forget()
    room.run(5.0, only="ab")
    assert not [to for _, to, _ in room.log if to == "c"]


# Health, and standing still


def test_health_is_that_of_ones_own_probes() -> None:
    """A failed probe worsens it, or each helper that is silent; one that says NACK doesn't."""
    room = Handful("abcde")
    room.deaf = {"e"}
    while not room["a"]._probes.of("e"):
        room.run(TICK, only="a")
    for _ in range(20):  # ticks for all: NACKs come
        room.run(TICK, only="abcd")
    assert room.state("e", by="a") == SUSPECT
    assert room["a"].health == 0


def test_a_node_that_hears_nothing_blames_itself_up_to_a_limit_and_gets_well_again() -> None:
    room = Handful("abcdefghij")
    room.deaf = {"a"}
    room.run(15.0, only="a")
    assert room["a"].health == T.health
    room.forget()
    room.run(8.0, only="a")
    assert (
        len({it.id for it in room.said(SwimKind.PING, "a") if it.id}) <= 2 + 8 / T.reconnect_every
    )
    room.deaf = set()
    room.run(40.0)
    assert room["a"].health == 0
    assert {node.owners() for node in room.nodes.values()} == {tuple("abcdefghij")}


def test_that_a_suspect_is_silent_is_not_held_against_oneself_twice() -> None:
    room = Handful("ab")
    room.deaf = {"b"}
    room["a"].on_disconnected("b", room.now)
    assert room["a"].health == 1
    room.run(LEAST - TICK, only="a")
    assert room["a"].health == 1


def test_after_standing_still_nobody_else_is_to_blame() -> None:
    room = Handful("abcd")
    room.tell(room["a"], rumor("c", 10, SUSPECT, by="x"))
    assert room["a"].on_disconnected("b", room.now).sends  # it is being looked into
    left = room["a"]._updates.suspicions["c"].ends_at - room.now
    room.now += 60.0
    room["a"].on_resume(60.0, room.now)
    outcome = room["a"].tick(room.now)
    assert not outcome.changed  # no probe has failed, and no time is over
    assert {it.kind for _, it in outcome.sends} == {SwimKind.RUMORS}
    assert room["a"].health == 1
    assert room["a"]._updates.suspicions["c"].ends_at - room.now == pytest.approx(left)
    room.run(1.0)
    assert record(room["a"].members["c"]) == (11, ALIVE)
