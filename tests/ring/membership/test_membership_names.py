"""Two processes of one name: the one that claimed it last has it, and nobody goes back."""

import pytest

from sidegate_ring.membership.membership import Rumor
from sidegate_ring.membership.messages import MAX_SKEW, TAG_BITS, Life, SwimKind, claim_of, tag_of
from tests.ring.handful import Handful, record, rumor

ALIVE, SUSPECT, DEAD, LEFT = Life.ALIVE, Life.SUSPECT, Life.DEAD, Life.LEFT
ELSEWHERE = "b:9999"


def said(claim: int, incarnation: int = 10, state: Life = ALIVE) -> Rumor:
    """Return what is said of a second b, somewhere else."""
    return rumor("b", incarnation, state, address=ELSEWHERE)._replace(claim=claim)


def claimed(seconds: int = 100) -> Handful:
    """Return a and b, of which b has claimed its name."""
    room = Handful("ab")
    room.do("b", room["b"].claim(1, seconds, room.now))
    assert room["a"].members["b"].claim == claim_of(seconds, 1)
    room.forget()
    return room


@pytest.mark.parametrize(
    ("claim", "incarnation", "holds"),
    [
        (claim_of(100, 2), 5, True),
        (claim_of(101, 0), 5, True),
        (claim_of(99, 2), 50, False),
        (claim_of(100, 0), 50, False),
        (0, 50, False),
    ],
)
def test_the_higher_claim_holds_whatever_the_incarnation(
    claim: int, incarnation: int, holds: bool
) -> None:
    room = claimed()
    room.tell(room["a"], said(claim, incarnation))
    assert (room["a"].members["b"].address == ELSEWHERE) == holds


def test_within_one_claim_all_is_as_ever() -> None:
    room = claimed()
    incarnation = room["b"].me.incarnation
    room.tell(room["a"], said(claim_of(100, 1), incarnation, SUSPECT))
    assert record(room["a"].members["b"]) == (incarnation, SUSPECT)
    room.run(2.0)
    assert record(room["a"].members["b"]) == (incarnation + 1, ALIVE)


@pytest.mark.parametrize("state", [ALIVE, SUSPECT])
def test_who_hears_of_a_later_claim_has_lost_its_name_and_refutes_nothing(state: Life) -> None:
    room = claimed()
    incarnation = room["b"].me.incarnation
    outcome = room.tell(room["b"], said(claim_of(101, 2), 50, state))
    assert room["b"].is_replaced
    assert room["b"].me.incarnation == incarnation
    assert outcome.changed == []
    room["b"].disclaim()
    assert not room["b"].is_replaced


@pytest.mark.parametrize("state", [DEAD, LEFT])
def test_a_name_whose_later_owner_is_gone_is_claimed_again(state: Life) -> None:
    room = claimed()
    for name in "ab":
        room.do(name, room.tell(room[name], said(claim_of(200, 2), 50, state)))
    room.run(2.0)
    assert not room["b"].is_replaced
    assert room["a"].members["b"].claim == claim_of(201, 1)
    assert (room.state("b", by="a"), room["a"].members["b"].address) == (ALIVE, "b:4222")


@pytest.mark.parametrize("claim", [0, claim_of(99, 2)])
def test_an_earlier_claim_is_nothing_to_refute(claim: int) -> None:
    room = claimed()
    outcome = room.tell(room["b"], said(claim, 50))
    assert not room["b"].is_replaced
    assert outcome == ([], [])


def test_who_has_not_claimed_its_name_disturbs_nobody_who_has() -> None:
    room = claimed()
    second = room.make("b", incarnation=50)
    assert room.tell(second, room["b"].me.rumor) == ([], [])
    room.tell(room["a"], second.me.rumor)
    assert room["a"].members["b"].claim == claim_of(100, 1)
    assert second.me.incarnation == 50


def test_a_claim_is_above_all_that_were_heard_of() -> None:
    """Also if the clock of the one before was ahead."""
    room = claimed(seconds=500)
    second = room.make("b")
    room.tell(second, room["b"].me.rumor, kind=SwimKind.FULL_STATE)
    second.claim(2, 100, room.now)
    assert second.me.claim == claim_of(501, 2)
    room.tell(room["a"], second.me.rumor)
    assert tag_of(room["a"].members["b"].claim) == 2


def test_a_claim_of_one_process_is_above_its_last() -> None:
    room = claimed()
    room["b"].disclaim()
    room["b"].claim(1, 100, room.now)
    assert room["b"].me.claim == claim_of(101, 1)


def test_a_claim_ahead_of_the_clock_is_not_believed_and_far_ahead_is_nonsense() -> None:
    room = claimed()
    room["a"].max_incarnation = 1_000
    room.tell(room["a"], said(claim_of(1_001, 2)))
    assert tag_of(room["a"].members["b"].claim) == 1
    for claim in (claim_of(1_001 + MAX_SKEW, 2), -1, 1 << (64 + TAG_BITS)):
        with pytest.raises(ValueError, match=r"a claim of .*is a clock wrong"):
            room.tell(room["a"], said(claim))
