"""Of which keys a node holds a copy, through changes of the ring."""

from string import ascii_letters

from sidegate.protocol.messages import Confirm, Confirmed
from sidegate_ring.hashring import Ring
from sidegate_sidecar.replication.copies import ASK_AGAIN, FEW, MAX_RINGS, Copies
from sidegate_sidecar.replication.debounce import QUIET_FOR
from sidegate_sidecar.replication.inquiries import Inquiries

KEYS = [f"key{at}" for at in range(300)]
NOW = 10**15


def ring_of(names: str) -> Ring:
    return Ring(list(names), points=16)


def anyone(_name: str) -> bool:
    return True


def asked_by(copies: Copies, now: int = NOW) -> list[str]:
    """Return who is asked now."""
    return [name for name, _ in copies.questions(now, anyone)]


def settled(me: str, names: str) -> Copies:
    """Return the copies of a node that holds all that it should."""
    copies = Copies(me)
    copies.ring_changed(ring_of(names), ())
    for name in names:
        copies.confirmed(name, ring_of(names).digest)
    assert copies.is_settled
    return copies


def keys_of(owner: str, backup: str, names: str) -> list[str]:
    return [key for key in KEYS if ring_of(names).pair(key) == (owner, backup)]


def test_a_node_holds_what_it_is_next_to_and_nothing_else() -> None:
    copies, ring = settled("a", "abc"), ring_of("abc")
    assert {key: copies.hold(key) for key in KEYS} == {key: "a" in ring.pair(key) for key in KEYS}


def test_a_backup_stays_one_when_others_join_and_asks_nobody() -> None:
    copies = settled("a", "abc")
    copies.ring_changed(ring_of("abcd"), ())
    assert copies.is_settled
    assert asked_by(copies) == []
    assert all(copies.hold(key) for key in keys_of("b", "a", "abcd"))


def test_who_becomes_a_backup_holds_no_copy_before_those_who_had_one_confirm_it() -> None:
    copies = settled("a", "abc")
    gained = [key for key in keys_of("b", "a", "ab") if "a" not in ring_of("abc").pair(key)]
    kept = [key for key in keys_of("b", "a", "ab") if "a" in ring_of("abc").pair(key)]
    assert gained
    assert kept
    copies.gone("c")
    copies.ring_changed(ring_of("ab"), ())
    assert not any(map(copies.hold, gained))
    assert all(map(copies.hold, kept))
    assert asked_by(copies) == ["b"]
    copies.confirmed("b", ring_of("abc").digest)  # of a ring that isn't any more
    assert not any(map(copies.hold, gained))
    copies.confirmed("b", ring_of("ab").digest)
    assert all(map(copies.hold, gained))
    assert copies.is_settled


def test_a_confirmation_counts_only_for_the_ring_that_it_is_of() -> None:
    copies = settled("a", "abcd")
    copies.gone("d")
    copies.ring_changed(ring_of("abc"), ())
    copies.confirmed("b", ring_of("abc").digest)
    copies.gone("c")
    copies.ring_changed(ring_of("ab"), ())
    lost = [key for key in keys_of("b", "a", "ab") if "a" not in ring_of("abcd").pair(key)]
    assert lost
    assert not any(map(copies.hold, lost))


def test_a_newcomer_owns_what_it_was_sent_and_no_more() -> None:
    copies = Copies("c")
    copies.ring_changed(ring_of("ab"), ("a", "b"))
    copies.pull(ring_of("abc"))
    copies.ring_changed(ring_of("abc"), ())
    mine = [key for key in KEYS if ring_of("abc").pair(key)[0] == "c"]
    copies.pulled("a")
    assert not any(map(copies.hold, mine))
    copies.pulled("b")
    assert all(map(copies.hold, mine))
    assert not any(copies.hold(key) for key in keys_of("a", "c", "abc"))
    assert copies.questions(NOW, anyone) == [
        (name, Confirm(ring_of("abc").digest, 1)) for name in "ab"
    ]


def newcomer_sent_by_b_and_c() -> Copies:
    """Return those of d, which has come to a, b and c, and that a hasn't sent anything yet."""
    copies = Copies("d")
    copies.ring_changed(ring_of("abc"), ("a", "b", "c"))
    copies.pull(ring_of("abcd"))
    copies.ring_changed(ring_of("abcd"), ())
    copies.pulled("b")
    copies.pulled("c")
    return copies


def test_a_newcomer_was_sent_what_its_former_owner_has_sent() -> None:
    """Others have sent only what nobody else was to send, also if that owner is gone since."""
    copies = newcomer_sent_by_b_and_c()
    copies.gone("a")
    copies.ring_changed(ring_of("bcd"), ())
    mine = [key for key in KEYS if ring_of("abcd").pair(key)[0] == "d"]
    lost = [key for key in mine if ring_of("abc").pair(key)[0] == "a"]
    assert lost
    assert not any(map(copies.hold, lost))
    kept = [key for key in mine if ring_of("abc").pair(key)[0] != "a"]
    assert kept
    assert all(map(copies.hold, kept))
    copies.confirmed("b", ring_of("bcd").digest)
    copies.confirmed("c", ring_of("bcd").digest)
    assert all(map(copies.hold, mine))


def test_who_was_pulled_from_need_not_send_all_again() -> None:
    """Another may think that it has sent everything, in a life before this one."""
    copies = Copies("c")
    copies.ring_changed(ring_of("ab"), ())
    copies.pull(ring_of("abc"))
    copies.ring_changed(ring_of("abc"), ())
    copies.pulled("a")
    digest = ring_of("abc").digest
    assert copies.questions(NOW, anyone) == [("a", Confirm(digest, 0)), ("b", Confirm(digest, 1))]


def test_what_a_former_owner_confirms_in_its_next_life_is_not_what_it_had() -> None:
    copies = newcomer_sent_by_b_and_c()
    copies.ring_changed(ring_of("bcd"), ())
    copies.confirmed("a", ring_of("bcd").digest)
    mine = [key for key in KEYS if ring_of("abcd").pair(key)[0] == "d"]
    lost = [key for key in mine if ring_of("abc").pair(key)[0] == "a"]
    assert lost
    assert not any(map(copies.hold, lost))
    copies.confirmed("b", ring_of("bcd").digest)
    copies.confirmed("c", ring_of("bcd").digest)
    assert all(map(copies.hold, lost))


def test_who_comes_after_owner_and_backup_waits_for_what_all_others_have() -> None:
    copies = settled("a", "abcd")
    for name in "cd":
        copies.gone(name)
    copies.ring_changed(ring_of("ab"), ())
    lost = [key for key in keys_of("a", "b", "ab") if {*"cd"} == {*ring_of("abcd").pair(key)}]
    assert lost
    assert not any(map(copies.hold, lost))
    copies.confirmed("b", ring_of("ab").digest)
    assert all(map(copies.hold, lost))


def test_who_lacks_a_part_itself_is_no_proof_that_all_was_sent() -> None:
    """A third may have it, as the one that has died told it."""
    copies, ring = settled("a", "abcd"), ring_of("abd")
    copies.gone("c")
    copies.ring_changed(ring, ())
    gained = [key for key in keys_of("d", "a", "abd") if "a" not in ring_of("abcd").pair(key)]
    assert gained
    copies.confirmed("d", ring.digest, lacks=True)
    assert not any(map(copies.hold, gained))
    assert asked_by(copies) == ["b", "d"]
    copies.confirmed("d", ring.digest)
    assert all(map(copies.hold, gained))
    copies.confirmed("d", ring.digest, lacks=True)
    copies.confirmed("b", ring.digest, lacks=True)
    assert all(map(copies.hold, gained))


def test_nodes_that_all_lack_a_part_do_not_wait_for_each_other() -> None:
    ring = ring_of("abc")
    for me in "abc":
        copies = Copies(me)
        copies.ring_changed(ring, ())
        assert not copies.is_settled
        for name in {*"abc"} - {me}:
            copies.confirmed(name, ring.digest, lacks=True)
        assert copies.is_settled


def test_a_node_lacks_a_part_until_all_have_told_it() -> None:
    copies, ring = Copies("a"), ring_of("abc")
    copies.ring_changed(ring, ())
    lacks = [copies.lacks]
    for name in "bc":
        copies.confirmed(name, ring.digest)
        lacks.append(copies.lacks)
    assert lacks == [True, True, False]


def test_a_node_that_stood_still_lacks_a_part_again() -> None:
    copies = settled("a", "abc")
    copies.doubt()
    assert copies.lacks


def test_a_node_that_was_given_places_lacks_a_part_until_all_have_told_it() -> None:
    copies = settled("a", "abc")
    copies.ring_changed(ring_of("abcd"), ())
    lacks = [copies.lacks]
    copies.ring_changed(ring_of("abc"), ())
    lacks.append(copies.lacks)
    for name in "bcd":
        copies.confirmed(name, ring_of("abc").digest)
        lacks.append(copies.lacks)
    assert lacks == [False, True, True, True, False]


def test_who_gave_up_a_place_that_was_whole_lacks_nothing() -> None:
    copies = settled("a", "abc")
    copies.ring_changed(ring_of("bc"), ())
    assert not copies.lacks


def test_who_gave_up_a_place_on_which_it_lacked_a_part_lacks_it_still() -> None:
    copies = settled("a", "abc")
    copies.doubt()
    copies.ring_changed(ring_of("bc"), ())
    assert copies.is_settled
    assert copies.lacks


def test_a_stranger_is_asked_for_what_it_may_know() -> None:
    """It may think that we hold what we never had; until it confirms we are no backup of it."""
    copies = settled("a", "ab")
    copies.ring_changed(ring_of("abc"), ("c",))
    theirs = keys_of("c", "a", "abc")
    assert not any(map(copies.hold, theirs))
    assert all(map(copies.hold, keys_of("b", "a", "abc")))
    assert copies.questions(NOW, anyone) == [("c", Confirm(ring_of("abc").digest, 1))]
    copies.confirmed("c", ring_of("abc").digest)
    assert all(map(copies.hold, theirs))


def test_who_was_decided_for_while_we_couldnt_hear_it_has_to_confirm() -> None:
    copies = settled("a", "abc")
    copies.fall_behind("b")
    assert not any(map(copies.hold, keys_of("b", "a", "abc")))
    assert all(map(copies.hold, keys_of("a", "b", "abc")))
    assert copies.questions(NOW, anyone) == [("b", Confirm(ring_of("abc").digest, 0))]
    copies.confirmed("b", ring_of("abc").digest)
    assert all(map(copies.hold, keys_of("b", "a", "abc")))


def test_after_a_standstill_nothing_counts_as_a_copy_but_what_is_our_own() -> None:
    copies = settled("a", "abc")
    copies.doubt()
    assert not any(map(copies.hold, keys_of("b", "a", "abc")))
    assert all(map(copies.hold, keys_of("a", "b", "abc")))
    copies.confirmed("b", ring_of("abc").digest)
    assert all(map(copies.hold, keys_of("b", "a", "abc")))


def test_each_is_asked_once_a_second_and_at_once_when_it_is_back() -> None:
    copies = settled("a", "abc")
    copies.doubt()
    assert asked_by(copies) == ["b", "c"]
    assert asked_by(copies, NOW + ASK_AGAIN - 1) == []
    assert asked_by(copies, NOW + ASK_AGAIN) == ["b", "c"]
    copies.unreachable("b")
    assert asked_by(copies, NOW + ASK_AGAIN + 1) == ["b"]


def test_who_cant_be_reached_is_not_asked_yet() -> None:
    copies = settled("a", "abc")
    copies.doubt()
    assert [it for it, _ in copies.questions(NOW, lambda name: name == "c")] == ["c"]
    assert asked_by(copies) == ["b"]


def test_too_many_rings_are_as_good_as_none() -> None:
    copies = settled("a", "abc")
    for at in range(MAX_RINGS):
        copies.ring_changed(ring_of(f"a{'bcd'[at % 3]}"), ())
    last = f"a{'bcd'[(MAX_RINGS - 1) % 3]}"
    others = keys_of(last[1], "a", last)
    assert others
    assert not any(map(copies.hold, others))
    assert all(copies.hold(key) for key in keys_of("a", last[1], last))


def test_a_node_that_is_not_on_the_ring_asks_nobody() -> None:
    copies = Copies("x")
    copies.ring_changed(ring_of("abc"), ("a", "b", "c"))
    assert asked_by(copies) == []
    assert not any(map(copies.hold, KEYS))


def test_an_inquiry_is_answered_once_both_have_that_ring_and_nothing_is_left() -> None:
    inquiries = Inquiries()
    inquiries.add("b", "old")
    inquiries.add("b", "new")
    inquiries.add("c", "new")
    assert inquiries.answers("old", anyone, lacks=False) == []
    told = inquiries.answers("new", lambda name: name == "c", lacks=False)
    assert told == [("c", Confirmed("new", 0))]
    inquiries.drop("b")
    assert inquiries.answers("new", anyone, lacks=False) == []


def test_an_answer_to_an_inquiry_says_if_we_lack_a_part_ourselves() -> None:
    inquiries = Inquiries()
    inquiries.add("b", "new")
    assert inquiries.answers("new", anyone, lacks=True) == [("b", Confirmed("new", 1))]


def test_of_many_rings_in_a_moment_nobody_is_asked_by_those_between() -> None:
    """Where a large cluster begins each node would else ask each other one on each ring."""
    copies, names = Copies("a"), ascii_letters[: FEW + 1]
    copies.ring_changed(ring_of(names), names[1:])
    assert asked_by(copies) == [*names[1:]]
    for name in ascii_letters[FEW + 1 : FEW + 5]:
        names += name
        copies.ring_changed(ring_of(names), name)
        assert asked_by(copies, NOW + 1) == []
    assert asked_by(copies, NOW + 1 + QUIET_FOR) == sorted(names[1:])


def test_few_nodes_are_asked_at_once_by_each_ring() -> None:
    """Whoever waits for its answers can't stand in for an owner that is killed meanwhile."""
    copies, names = Copies("a"), "ab"
    copies.ring_changed(ring_of(names), "b")
    assert asked_by(copies) == ["b"]
    for name in ascii_letters[2:FEW]:
        names += name
        copies.ring_changed(ring_of(names), name)
        assert asked_by(copies, NOW + 1) == [*names[1:]]
