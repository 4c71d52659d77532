"""The targets of the benchmark, and whether a run met them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import decisions, fastapi_app
from bench.echo import ECHO
from bench.headgate_client import ONE_HOP, TWO_HOPS
from bench.redis_benchmark import PIPELINED
from bench.redis_client import REDIS_PY

if TYPE_CHECKING:
    from bench.results import Results


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio that must be at least (or at most) `wanted`; `measured` is None if it was not."""

    text: str
    wanted: float
    measured: float | None
    at_least: bool = True

    @property
    def met(self) -> bool | None:
        """Whether this run met it, None if the run did not measure it."""
        if self.measured is None:
            return None
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted


def targets(results: Results) -> list[Target]:
    """Return all targets with what this run measured, against each peer at its best."""
    ours = results.median(decisions.PART, ONE_HOP, "256", "rate")
    floor = _p50(results, ECHO)
    bare = _web(results, fastapi_app.BARE)
    return [
        Target(
            "decisions/s at 256 in flight, over the best of redis-benchmark -P 32",
            2.0,
            _ratio(ours, _best(results, PIPELINED)),
        ),
        Target(
            "decisions/s at 256 in flight, over the best of redis-py",
            20.0,
            _ratio(ours, _best(results, REDIS_PY)),
        ),
        Target(
            "p50 of one check in flight, one hop, over the echo's",
            2.0,
            _ratio(_p50(results, ONE_HOP), floor),
            at_least=False,
        ),
        Target(
            "p50 of one check in flight, two hops, over the echo's",
            4.5,
            _ratio(_p50(results, TWO_HOPS), floor),
            at_least=False,
        ),
        Target(
            "FastAPI requests/s when allowed, over bare",
            0.9,
            _ratio(_web(results, "headgate allowed"), bare),
        ),
        Target(
            "FastAPI answers/s when denied, over bare",
            1.0,
            _ratio(_web(results, "headgate denied"), bare),
        ),
    ]


def _p50(results: Results, contender: str) -> float | None:
    return results.median(decisions.PART, contender, "1", "p50")


def _web(results: Results, variant: str) -> float | None:
    return results.median(fastapi_app.PART, variant, fastapi_app.SETTING, "rate")


def _best(results: Results, contender: str) -> float | None:
    part = decisions.PART
    rates = [results.median(part, contender, setting, "rate") for setting in results.settings(part)]
    return max((rate for rate in rates if rate is not None), default=None)


def _ratio(figure: float | None, base: float | None) -> float | None:
    return None if figure is None or base is None else figure / base
