"""How long all nodes but one have only just come, as that one sees it."""

import pytest

from sidegate.buckets.limits import SECOND
from sidegate_sidecar.cluster.place.newcomers import NEW_FOR, Newcomers

ME = "n1"


def at(*rings: str, first: bool = False) -> Newcomers:
    """Have n1 see these rings, one a second; at the `first` one it had no place before."""
    newcomers = Newcomers()
    for second, nodes in enumerate(rings):
        placed = second > 0 or not first
        newcomers.ring_changed(nodes.split(), placed=placed, now=second * SECOND)
    return newcomers


@pytest.mark.parametrize(
    ("rings", "new_for"),
    [
        (["n1"], 0),
        (["n1 n2"], NEW_FOR - 2 * SECOND),
        (["n1", "n1 n2"], NEW_FOR - SECOND),
        (["n1", "n1 n2", "n1 n2 n3"], NEW_FOR - SECOND),  # n2 is the older one
        (["n1 n2", "n1 n2 n3", "n1 n3"], NEW_FOR - SECOND),  # which has gone
        (["n1 n2", "n1", "n2 n1"], NEW_FOR),  # which has come again
        (["n1 n2", "n1 n2", "n2"], NEW_FOR - 2 * SECOND),  # without us
    ],
)
def test_they_are_new_while_the_oldest_of_them_is(rings: list[str], new_for: int) -> None:
    assert at(*rings).new_for(ME, 2 * SECOND) == new_for


def test_they_are_new_no_longer_than_that() -> None:
    assert at("n1", "n1 n2").new_for(ME, SECOND + NEW_FOR) == 0


def test_who_was_there_before_this_node_is_not_new() -> None:
    """Nobody can tell since when it was."""
    assert at("n2 n3", "n1 n2 n3", "n1 n2 n3 n4", first=True).new_for(ME, 2 * SECOND) == 0
