"""Scene: something that happens to three nodes, alike for all systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.peers.asking.messages import Rate
    from bench.peers.systems import System
    from bench.plan import Plan


@dataclass(frozen=True, slots=True)
class Scene:
    """What it is called, the limit of its keys, what it does, and what the table says of it."""

    title: str
    rate: Rate
    run: Callable[[System, Plan], Awaitable[dict[str, float]]]
    note: str
    columns: dict[str, str]  # the headings of figures
