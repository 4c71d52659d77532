"""Successors: for each point of a ring its owner, and who is the backup of what it owns. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_AT_ONCE = 4_096
"""Points of which all are looked at in one go, 1 ms: 8 nodes. Those of 200 nodes would hold up all
checks for 55 ms each time a node comes or goes."""


def begun(owners: Sequence[str], zones: Mapping[str, str]) -> Sequence[tuple[str, str] | None]:
    """Return `successors`, or None for each of too many points; then there is one for each."""
    group = zones.get if zones else _itself
    if len(owners) > MAX_AT_ONCE + 1 and _ahead(owners, group)[1]:
        return [None] * len(owners)
    return successors(owners, zones)


def successor(owners: Sequence[str], zones: Mapping[str, str], at: int) -> tuple[str, str]:
    """Return what `successors` has for one point, where it has one: mostly a step or two away."""
    group, count = zones.get if zones else _itself, len(owners)
    owner = owners[at]
    its_group = group(owner)
    while group(owners[at]) == its_group:
        at = (at + 1) % count
    return owner, owners[at]


def successors(owners: Sequence[str], zones: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return for each point its owner and the next node after it; "" where there is none.

    That is the next one in another zone, where there are zones, which then are two or more at
    least. `owners` are those of the points in their order, and behind them that of the first again.
    Equal pairs are one object: there are a million look-ups, and few pairs.
    """
    if not owners:
        return [("", "")]
    group = zones.get if zones else _itself
    ahead, beyond = _ahead(owners, group)
    known: dict[tuple[str, str], tuple[str, str]] = {}
    found = [("", "")] * len(owners)
    for at in range(len(owners) - 1, -1, -1):
        owner = owners[at]
        if group(owner) != group(ahead):
            beyond = ahead
        ahead = owner
        pair = owner, beyond
        found[at] = known.setdefault(pair, pair)
    return found


def _itself(name: str) -> str:
    """Return in which group a node is where there are no zones: its own."""
    return name


def _ahead(owners: Sequence[str], group: Callable[[str], str | None]) -> tuple[str, str]:
    """Return who comes first on the circle, and the first one of another group; "" if none is."""
    first = owners[0]
    return first, next((name for name in owners if group(name) != group(first)), "")
