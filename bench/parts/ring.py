"""Part (e): ring lookups per second, ours and uhashring's."""

from __future__ import annotations

import random
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from bench.plan import KEYS, key_names
from sidegate_ring.hashring import POINTS, Ring
from sidegate_ring.places import position, seeded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results

PART: Final = "ring"
OURS: Final = "sidegate_ring"
SEEDED: Final = "sidegate_ring, seeded"
NODES: Final = (3, 10, 50)


async def measure(plan: Plan, results: Results, _folder: Path, tell: Callable[[str], None]) -> None:
    """Look up the same random keys in rings of the same nodes."""
    keys = random.Random(0).choices(list(key_names(KEYS)), k=KEYS)
    for count in NODES:
        nodes = [f"node-{number}" for number in range(count)]
        rings = _rings(nodes, results)
        for round_ in range(plan.rounds):
            for name, owner in rings.items():
                tell(f"round {round_ + 1}, {count} nodes: {name}")
                rate = _lookups_per_second(owner, keys, plan.seconds / 4)
                results.add(PART, name, str(count), round_, rate=rate)


def _rings(nodes: list[str], results: Results) -> dict[str, Callable[[str], Any]]:
    results.notes[OURS] = f"Ring.owner, mmh3, {POINTS} points a node"
    results.notes[SEEDED] = f"Ring.owner with a seed: keys by BLAKE2b, {POINTS} points a node"
    ring = Ring(nodes, key_hash=seeded(bytes(range(32))))
    rings: dict[str, Callable[[str], Any]] = {OURS: Ring(nodes).owner, SEEDED: ring.owner}
    try:
        hash_ring = import_module("uhashring").HashRing  # it has no types
    except ImportError:
        results.skipped["uhashring"] = "not installed"
        return rings
    results.notes["uhashring"] = "HashRing.get_node as it comes: md5, 160 points a node"
    results.notes["uhashring, mmh3"] = "the same with our hash and as many points as ours"
    rings["uhashring"] = hash_ring(nodes).get_node
    rings["uhashring, mmh3"] = hash_ring(nodes, hash_fn=position, vnodes=POINTS).get_node
    return rings


def _lookups_per_second(owner: Callable[[str], Any], keys: list[str], seconds: float) -> float:
    done, began = 0, time.perf_counter()
    deadline = began + seconds
    while (now := time.perf_counter()) < deadline:
        for key in keys:
            owner(key)
        done += len(keys)
    return done / (now - began)
