"""Places on the circle: how even they are, what never may change, and that nobody can aim keys."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice, product

import mmh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_ring import Ring
from sidegate_ring.places import CIRCLE, fingerprint, position, seeded
from tests.ring.murmur import twins

SEED = bytes(range(32))
KEYS = [f"user:{i}" for i in range(400)]
NODES = ["alpha", "beta", "gamma"]


def colliding(count: int) -> Iterator[str]:
    """Return keys of 512 bytes at most that collide in murmur3, whatever its seed."""
    pairs = [twins(at) for at in range(count.bit_length() - 1)]
    return islice(("".join(parts) for parts in product(*pairs)), count)


# What never may change


def test_the_positions_of_golden_texts() -> None:
    """Murmur3 of the empty text is 0 by its definition, the rest are by mmh3 5.3."""
    assert position("") == 0
    assert position("alpha#0") == 13_915_507_083_951_521_087
    assert position("user:1") == 6_120_565_781_388_772_718


def test_the_places_of_golden_keys_with_a_seed() -> None:
    """Nodes of different releases agree on them, as on the golden vectors of the ring."""
    place = seeded(SEED)
    assert place("") == 5_981_320_672_318_892_429
    assert place("user:1") == 11_764_954_695_302_136_434
    assert place("api:é") == 16_214_461_114_215_205_556
    assert place("k" * 512) == 1_816_068_187_933_902_640
    assert fingerprint(SEED) == "6a03600020d502ef"


# How they lie


@given(st.text(max_size=12))
def test_a_position_is_the_unsigned_64_bits_of_murmur3(key: str) -> None:
    assert position(key) == mmh3.hash64(key, signed=False)[0]
    assert position(key) == mmh3.mmh3_x64_128_utupledigest(key.encode(), 0)[0]


@pytest.mark.parametrize("hashed", [position, seeded(SEED)])
def test_positions_fill_the_circle(hashed: Callable[[str], int]) -> None:
    """The signed hash of mmh3 put half of all points before 0, and so on one node."""
    eighths = [hashed(key) * 8 // CIRCLE for key in KEYS]
    assert set(eighths) == set(range(8))
    assert max(map(eighths.count, range(8))) < len(KEYS) / 5


def test_another_seed_is_another_place_for_each_key() -> None:
    one, other = seeded(SEED), seeded(SEED[:-1] + b"!")
    assert all(one(key) != other(key) != position(key) != one(key) for key in KEYS)


def test_without_a_seed_keys_are_placed_as_nodes_are() -> None:
    assert seeded(b"") is position
    assert fingerprint(b"") == ""


def test_keys_that_collide_under_every_seed_of_murmur_are_spread_by_ours() -> None:
    """With murmur3, seeded in any way, they would all be one node's; here each gets its part."""
    keys = list(colliding(1024))
    assert len(set(keys)) == len(keys)
    assert max(len(key.encode()) for key in keys) <= 512
    for seed in (0, 1, 0xFFFF_FFFF):
        assert len({mmh3.hash128(key, seed) for key in keys}) == 1
    secret = "16 bytes unknown"
    assert len({position(secret + key) for key in keys}) == 1
    place = seeded(SEED)
    assert len({place(key) for key in keys}) == len(keys)
    ring = Ring(NODES, key_hash=place)
    owned = Counter(ring.owner(key) for key in keys)
    assert owned.keys() == set(NODES)
    assert all(abs(owned[node] / len(keys) - ring.share(node)) < 0.08 for node in NODES)


def test_keys_ground_for_one_owner_without_the_seed_are_spread() -> None:
    """Whoever knows all nodes but not the seed finds keys of one node no better than by chance."""
    guessed = Ring(NODES)
    keys = [key for at in range(12_000) if guessed.owner(key := f"made up {at}") == "alpha"]
    assert len(keys) > 3_000
    ring = Ring(NODES, key_hash=seeded(SEED))
    owned = Counter(ring.owner(key) for key in keys)
    assert all(abs(owned[node] / len(keys) - ring.share(node)) < 0.05 for node in NODES)


def test_a_fingerprint_tells_seeds_apart_and_not_what_they_are() -> None:
    seeds = [SEED, SEED + b"\0", bytes(16), bytes(17), b"x" * 1000]
    prints = {fingerprint(seed) for seed in seeds}
    assert len(prints) == len(seeds)
    assert {len(it) for it in prints} == {16}
