"""Part peers_cluster: three nodes of each at a deploy, at a crash, and under one key's overload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.peers.asking.messages import PeerError
from bench.peers.parts.deploy import DEPLOY
from bench.peers.parts.kill import AT_ONCE, LATER
from bench.peers.parts.overload import OVERLOAD
from bench.peers.trios import SYSTEM_NOTES, SYSTEMS
from bench.plan import rotated
from bench.results import UnavailableError, VoidError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results

PART: Final = "peers_cluster"
SCENES: Final = (DEPLOY, AT_ONCE, LATER, OVERLOAD)


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Run each scene with fresh nodes of each, in turn; one that fails leaves the others."""
    results.notes.update({scene.title: scene.note for scene in SCENES})
    for round_ in range(plan.rounds):
        for scene in SCENES:
            for name in rotated(list(SYSTEMS), round_):
                if f"{name} ({PART})" in results.skipped:
                    continue
                tell(f"round {round_ + 1}: {name}, {scene.title}")
                place = folder / f"{round_}{SCENES.index(scene)}{list(SYSTEMS).index(name)}"
                place.mkdir()
                try:
                    async with SYSTEMS[name](place, scene.rate) as system:
                        figures = await scene.run(system, plan)
                except UnavailableError as reason:
                    results.skipped[f"{name} ({PART})"] = str(reason)
                except (VoidError, PeerError, OSError) as reason:
                    results.void[f"{name}, {scene.title}"] = str(reason)
                else:
                    results.notes[f"{name} (three nodes)"] = SYSTEM_NOTES[name]
                    results.add(PART, name, scene.title, round_, **figures)
