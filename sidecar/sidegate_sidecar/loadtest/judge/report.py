"""The report of a run: all figures and the verdict, as they go into JSON, tables and pages.

`--json` writes exactly this. Fields are added in later versions; `version` changes when one of them
changes its meaning or goes.
"""

from typing import Final

import msgspec

from sidegate_sidecar.loadtest.judge.allowance import Allowance
from sidegate_sidecar.loadtest.judge.crashes import Crash
from sidegate_sidecar.loadtest.judge.percentile import Times
from sidegate_sidecar.loadtest.judge.series import Second

VERSION: Final = 1


class Promise(msgspec.Struct, frozen=True):
    """One thing that must hold: of which stream ("" for all), what was expected, what was seen."""

    kept: bool
    stream: str
    text: str
    expected: str
    seen: str


class Point(msgspec.Struct, frozen=True):
    """So many percent of the latencies were at most so long."""

    percent: float
    ms: float


class Difference(msgspec.Struct, frozen=True):
    """The percentiles of a stream's latency less those of the baseline at the same time, in ms."""

    p50: float
    p99: float


class StreamReport(msgspec.Struct, frozen=True):
    """One stream: each request is admitted, denied, answered by policy, an error or held back.

    `latency_ms` is from the planned start, `service_ms` from the real one; both of answers and
    timeouts, `unmeasured` is how many requests came to neither. `sources` counts answers by who
    decided, "none" when no limit was applied.
    """

    name: str
    url: str
    rate: float
    seconds: float
    start: float
    keys: int
    limit: str
    expect: str
    requests: int
    admitted: int
    denied: int
    by_policy: int
    errors: dict[str, int]
    held_back: int
    sources: dict[str, int]
    allowance: Allowance | None
    latency_ms: Times | None
    service_ms: Times | None
    unmeasured: int
    added_ms: Difference | None
    curve: list[Point]


class Generator(msgspec.Struct, frozen=True):
    """How well the generator kept its own plan: `lateness_ms` is real less planned start."""

    lateness_ms: Times | None
    held_back: int
    max_in_flight: int


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `started` in seconds since 1970, all other times from then on."""

    version: int = VERSION
    sidegate: str
    passed: bool
    url: str
    scenario: str
    started: float
    planned_seconds: float
    elapsed: float
    seed: int
    key_prefix: str
    baseline: str
    promises: list[Promise]
    warnings: list[str]
    generator: Generator
    added_ms: Difference | None
    errors: dict[str, int]
    crashes: list[Crash]
    streams: list[StreamReport]
    series: list[Second]
