"""Rounds: the same points of all contenders, one after the other, so that drift hits them alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.plan import rotated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.contenders.contender import Contender
    from bench.plan import Plan
    from bench.results import Results


async def measure_rounds(
    part: str,
    contenders: Sequence[Contender],
    in_flights: Sequence[int],
    plan: Plan,
    results: Results,
    tell: Callable[[str], None],
) -> None:
    """Measure each contender at each number in flight, in the rounds of the plan."""
    for contender in contenders:
        results.notes[contender.name] = contender.note
    for round_ in range(plan.rounds):
        for in_flight in in_flights:
            for contender in rotated(contenders, round_):
                tell(f"round {round_ + 1}, {in_flight} in flight: {contender.name}")
                await contender.measure(in_flight, plan.warm_up)
                point = await contender.measure(in_flight, plan.seconds)
                figures = {"rate": point.rate, "p50": point.p50, "p99": point.p99}
                results.add(part, contender.name, str(in_flight), round_, **figures)
