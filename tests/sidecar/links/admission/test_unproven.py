"""Connections that have proved nothing: who has to go when there are too many."""

from collections import Counter
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_sidecar.links.admission.unproven import LOCAL, Unproven, origin


def pool(most: int = 4, share: int = 2, local: int = 2) -> Unproven[int]:
    return Unproven(most, share, local)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("", LOCAL),
        ("127.0.0.1", LOCAL),
        ("127.9.8.7", LOCAL),
        ("::1", LOCAL),
        ("::ffff:127.0.0.1", LOCAL),
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_what_counts_as_one_address(host: str, expected: str) -> None:
    """IPv6 hosts have 2^64 addresses each, and IPv4 may come in the clothes of IPv6."""
    assert origin(host) == expected


def test_an_address_with_more_than_its_share_pays_itself() -> None:
    here = pool()
    assert [here.admit(it, "10.0.0.1") for it in (1, 2, 3)] == [None, None, 1]
    assert 1 not in here
    assert 3 in here
    assert (len(here), here.displaced) == (2, 1)


def test_in_a_full_pool_the_oldest_of_the_fullest_address_goes() -> None:
    here = pool()
    for at, host in enumerate(["10.0.0.9", "10.0.0.1", "10.0.0.1", "10.0.0.2"]):
        assert here.admit(at, host) is None
    assert here.admit(4, "10.0.0.3") == 1
    assert 0 in here, "the oldest of all, but alone at its address"


def test_from_as_many_addresses_as_places_the_oldest_goes() -> None:
    here = pool()
    gone = [here.admit(at, f"10.0.0.{at}") for at in range(6)]
    assert gone == [None, None, None, None, 0, 1]


def test_this_machine_has_places_that_strangers_cannot_take() -> None:
    here = pool()
    for at in range(50):
        here.admit(at, f"10.0.0.{at}")
    assert [here.admit(at, "127.0.0.1") for at in (100, 101)] == [None, None]
    assert here.admit(60, "10.0.1.1") not in {100, 101, None}
    assert here.admit(102, "::1") == 100


def test_who_has_proved_itself_makes_room() -> None:
    here = pool(share=4)
    for at in range(4):
        here.admit(at, "10.0.0.1")
    here.remove(0)
    here.remove(0)
    assert here.admit(4, "10.0.0.1") is None
    assert len(here) == 4


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=80))
def test_bounds_hold_and_who_is_alone_stays_while_others_have_two(
    events: list[tuple[int, bool]],
) -> None:
    """Address 0 is this machine's; a pair is one more connection there, or its oldest proves."""
    here = pool()
    held: dict[int, int] = {}
    numbers = count()
    for address, proves in events:
        host = f"10.0.0.{address}" if address else "127.0.0.1"
        oldest = next((it for it, at in held.items() if at == address), None)
        if proves and oldest is not None:
            del held[oldest]
            here.remove(oldest)
            continue
        number = next(numbers)
        held[number] = address
        before = Counter(at for at in held.values() if at)
        if (gone := here.admit(number, host)) is not None:
            at = held.pop(gone)
            assert not at or before[at] == max(before.values())
        sizes = Counter(held.values())
        assert set(held) == {it for it in range(number + 1) if it in here}
        assert sizes.pop(0, 0) <= here.max_local
        assert sizes.total() <= here.max_connections
        assert max(sizes.values(), default=0) <= here.max_at_an_origin
