"""Small rings for tests: hashes to follow by hand, and the strategies for any ring."""

from collections.abc import Callable

from hypothesis import strategies as st

from sidegate_ring import Ring
from sidegate_ring.places import position

POINTS = 16  # enough for every property but balance, and quick to build

names = st.text(min_size=1, max_size=8)
weights = st.dictionaries(names, st.integers(1, 3), min_size=1, max_size=8)


def collide(text: str) -> int:
    """Hash to eight positions only, so that most points share theirs with another node's."""
    return position(text) & 7


hashes = st.sampled_from([position, collide])


def on_five(_: str) -> int:
    """Hash everything to one position."""
    return 5


def build(nodes: dict[str, int], place: Callable[[str], int] = position) -> Ring:
    """Return a ring of nodes and their weights, with few points."""
    return Ring(nodes, points=POINTS, hash=place)


def lists(ring: Ring) -> tuple[list[int], list[str]]:
    """Return the points of a ring in their order, and whose each is."""
    ring._order()
    return ring._positions, ring._owners


def identity(text: str) -> int:
    """Hash "12" to 12 and a node's points to its number and the same in later turns of a hundred.

    Node "6" of two points stands on 6 and 106; keys are plain numbers.
    """
    number, _, turn = text.partition("#")
    return int(number) + 100 * int(turn or 0)
