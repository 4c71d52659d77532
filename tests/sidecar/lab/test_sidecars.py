"""Sidecars as processes: how one is run, and when it says that the ring is whole."""

from typing import Any

import pytest

from sidegate_ring.hashring import Ring
from sidegate_sidecar.lab.sidecars import is_whole, serve

RING = Ring(["a", "b"])
UP = {"name": "b", "state": "up"}
WHOLE: dict[str, Any] = {
    "stage": "member",
    "agrees": True,
    "ring": RING.digest,
    "nodes": [{"name": "a", "state": "up"}, UP],
}


def test_options_are_named_as_on_the_command_line() -> None:
    """A flag is named only, and each seed is an option of its own."""
    command = serve("s1", "s2", name="a", max_memory=5, insecure=True)
    options = ["--name=a", "--max-memory=5", "--insecure", "--seed=s1", "--seed=s2"]
    assert command == ["sidegate_sidecar", "serve", *options]


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "leaf"},
        {"agrees": False},
        {"ring": Ring(["a"]).digest},
        {"nodes": [UP]},
        {"nodes": [{"name": "a", "state": "down"}, UP]},
        {"nodes": [*WHOLE["nodes"], {"name": "c", "state": "up"}]},
    ],
)
def test_a_ring_is_whole_when_all_of_it_agrees_and_is_up(change: dict[str, Any]) -> None:
    """Whatever lacks, it isn't."""
    assert is_whole(WHOLE, RING)
    assert not is_whole({**WHOLE, **change}, RING)
