"""Ids of reservations: who made them, and that nothing else is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.errors import ReservationError
from sidegate.protocol.messages import MAX_KEY_BYTES
from sidegate.reservations.reservation_ids import MAX_ID, Held, ReservationIds

HELD = Held("user:42", "i:job-7", "20000/day", 5_000, 1_800_000_000_000)
SECRETS = [b"first"]
IDS = ReservationIds("prod", lambda: SECRETS, int)


def by(*secrets: bytes, cluster: str = "prod") -> ReservationIds:
    """Return the ids of a cluster with these secrets."""
    return ReservationIds(cluster, lambda: secrets, int)


@given(
    st.builds(
        Held,
        st.text(st.characters(codec="utf-8"), max_size=128),
        st.text(st.characters(codec="utf-8"), max_size=128),
        st.text(st.characters(codec="utf-8"), max_size=1_024),
        st.integers(0, 2**62),
        st.integers(0, 2**62),
    )
)
def test_an_id_says_all_that_was_signed(held: Held) -> None:
    text = IDS.sign(held)
    assert IDS.read(text) == held
    assert text.isascii()


def test_the_longest_is_as_long_as_an_id_may_be() -> None:
    longest = Held("k" * MAX_KEY_BYTES, "i:" + "\N{PILE OF POO}" * 128, "9" * 1_024, 2**53, 2**53)
    assert len(IDS.sign(longest)) <= MAX_ID


@pytest.mark.parametrize(
    "text",
    [
        "",
        "r1.",
        "r1.AAAA",
        "x" * 10,
        "r1." + "A" * MAX_ID,
        "r1.\N{LATIN SMALL LETTER E WITH ACUTE}",
        "r1.====",
        IDS.sign(HELD)[:-1],
        IDS.sign(HELD)[:-4],
        IDS.sign(HELD) + "AAAA",
        IDS.sign(HELD).replace("r1.", "r2."),
        by(b"other").sign(HELD),
        by(b"first", cluster="test").sign(HELD),
        by(cluster="prod").sign(HELD),
    ],
)
def test_what_is_cut_forged_or_foreign_is_none(text: str) -> None:
    with pytest.raises(ReservationError, match="reservation"):
        IDS.read(text)


@given(st.integers(0, 150), st.integers(1, 63))
def test_no_character_may_be_another(at: int, by_how_much: int) -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text = IDS.sign(HELD)
    at = 3 + at % (len(text) - 4)  # the last one has bits that say nothing
    other = letters[(letters.index(text[at]) + by_how_much) % 64]
    with pytest.raises(ReservationError):
        IDS.read(text[:at] + other + text[at + 1 :])


@given(st.text(max_size=200))
def test_any_text_is_refused_with_words(text: str) -> None:
    for begin in ("", "r1."):
        with pytest.raises(ReservationError):
            IDS.read(begin + text)


def test_while_secrets_change_both_are_accepted_and_the_first_signs() -> None:
    old, both, new = by(b"old"), by(b"new", b"old"), by(b"new")
    assert both.read(old.sign(HELD)) == HELD
    assert new.read(both.sign(HELD)) == HELD
    with pytest.raises(ReservationError):
        new.read(old.sign(HELD))


def test_secrets_that_change_hold_at_once() -> None:
    secrets = [b"old"]
    ids = ReservationIds("", lambda: tuple(secrets), int)
    before = ids.sign(HELD)
    secrets[:] = [b"new"]
    with pytest.raises(ReservationError):
        ids.read(before)


def test_a_cluster_without_a_secret_goes_by_its_name() -> None:
    assert by(cluster="a").read(by(cluster="a").sign(HELD)) == HELD
    with pytest.raises(ReservationError):
        by(cluster="a").read(by(cluster="b").sign(HELD))
