"""Voter sets: who has a majority, and by which sets it is counted."""

import pytest

from sidegate_sidecar.cluster.split.voter_sets import Told, VoterSet, VoterSets, has_majority


@pytest.mark.parametrize(
    ("names", "present", "gone", "has"),
    [
        ("abc", "ab", "", True),
        ("abc", "c", "", False),
        ("abcd", "ad", "", True),  # half of them, with the smallest
        ("abcd", "bc", "", False),
        ("abcde", "ab", "c", True),
        ("abcde", "de", "c", False),
        ("abc", "a", "bc", True),
        ("abc", "xyz", "abc", True),  # all have left: nobody is left on another side
        ("abc", "xyz", "ab", False),
        ("", "", "", True),
    ],
)
def test_more_than_half_of_those_that_are_not_gone(
    names: str, present: str, gone: str, *, has: bool
) -> None:
    assert has_majority(names, present, gone) is has


def test_of_two_sides_at_most_one_has_a_majority() -> None:
    """Whoever has left, and whichever side has heard of it."""
    names = "abcdef"
    subsets = [
        {name for at, name in enumerate(names) if bits >> at & 1} for bits in range(1 << len(names))
    ]
    for one in subsets[:: len(names) - 1]:
        rest = {*names} - one
        for left in [it for it in subsets if it <= rest]:
            others = rest - left
            for known in [it for it in subsets if it <= left]:
                both = has_majority(names, one, left) and has_majority(names, others, known)
                assert not both or not (one or others), (one, others, left, known)


def test_a_later_agreement_ends_what_came_before_it() -> None:
    sets = VoterSets()
    sets.agree(VoterSet(1, ("a", "b", "c")))
    sets.propose(VoterSet(2, ("a", "b")))
    sets.propose(VoterSet(4, ("a",)))
    sets.agree(VoterSet(3, ("a", "b", "d")))
    sets.agree(VoterSet(2, ("x",)))
    assert sets.agreed == (3, ("a", "b", "d"))
    assert sets.proposed == [(4, ("a",))]


def test_a_third_promise_takes_the_place_of_the_second() -> None:
    sets = VoterSets()
    for version in (2, 3, 4):
        sets.propose(VoterSet(version, ("a",) * version))
    assert [it.version for it in sets.proposed] == [2, 4]


def test_what_others_have_promised_binds_while_they_are_here() -> None:
    """E has promised to count by c, d and e: a and b don't go on with its help."""
    sets = VoterSets()
    sets.agree(VoterSet(1, tuple("abcde")))
    of_e = Told("quorum", VoterSet(1, tuple("abcde")), (VoterSet(2, tuple("cde")),))
    binding = sets.binding([of_e])
    assert binding == [(1, tuple("abcde")), (2, tuple("cde"))]
    assert [has_majority(it.names, "abe", "") for it in binding] == [True, False]


def test_a_set_that_is_known_is_not_held_twice() -> None:
    sets = VoterSets()
    sets.agree(VoterSet(1, ("a", "b")))
    assert sets.known((1, ("a", "b"))) is sets.agreed
    assert sets.known((2, ("a", "b"))) == (2, ("a", "b"))
