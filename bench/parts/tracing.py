"""Part tracing: what it costs an app that its checks could be traced, and that they are."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from bench.contenders.owned import keys_of, owned_by
from bench.lab.sidecars import BUDGET, sidecar
from bench.rounds import measure_rounds
from sidegate import Client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.contenders.contender import Contender
    from bench.lab.load import Point
    from bench.plan import Plan
    from bench.results import Results

PART: Final = "tracing"
OFF: Final = "sidegate, no tracing"
ON: Final = "sidegate, otel=True, no span"
TRACED: Final = "sidegate, otel=True, in a span"
IN_FLIGHT: Final = (64, 256)

_NOTE: Final = "sidegate.Client on uvloop, unix socket to the owner of all keys"
_NOTES: Final = {
    OFF: f"{_NOTE}, as it is unless it is told otherwise",
    ON: f"{_NOTE}, which looks for a span and counts in the app's metrics, the API's no-op",
    TRACED: f"{_NOTE}, each check in a recorded span of the SDK, which exports to nobody",
}


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure all three at each point, one after the other, on one sidecar."""
    try:
        from opentelemetry import context, trace  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
    except ImportError as missing:
        results.skipped[PART] = f"opentelemetry-sdk is not installed: {missing}"
        return
    provider = TracerProvider()
    trace.set_tracer_provider(provider)
    async with AsyncExitStack() as stack:
        owner = await stack.enter_async_context(sidecar(folder, "traced"))
        keys = keys_of(owner.name, [owner.name])
        contenders: list[Contender] = []
        for name in (OFF, ON, TRACED):
            options = Client(owner.address, budget=BUDGET, lease=False, otel=name != OFF)
            client = await stack.enter_async_context(options)
            contenders.append(await owned_by(owner.name, client, keys, name, _NOTES[name]))
        span = provider.get_tracer("bench").start_span("request")
        contenders[-1] = _within(contenders[-1], context, trace.set_span_in_context(span))
        await measure_rounds(PART, contenders, IN_FLIGHT, plan, results, tell)


def _within(contender: Contender, context: Any, there: Any) -> Contender:  # noqa: ANN401 - OpenTelemetry's
    """Have a contender's checks be made within a context."""

    async def measure(in_flight: int, seconds: float) -> Point:
        token = context.attach(there)  # the tasks that ask have a copy
        try:
            return await contender.measure(in_flight, seconds)
        finally:
            context.detach(token)

    return replace(contender, measure=measure)
