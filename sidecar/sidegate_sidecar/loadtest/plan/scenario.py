"""A scenario: streams of requests, at once or one after another, and what is expected of each."""

from __future__ import annotations

import re
from enum import StrEnum
from math import inf
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from sidegate.buckets.limits import Limits, parse_limits
from sidegate.errors import LimitError
from sidegate_sidecar.loadtest.plan.arrivals import Arrivals
from sidegate_sidecar.loadtest.plan.keys import Pick

MAX_REQUESTS: Final = 5_000_000  # in a run: 30 bytes each are kept for the report
MAX_STREAMS: Final = 32  # more than fit into a table that anyone reads
MAX_KEYS: Final = 1_000_000  # of a stream: what a sidecar holds by default

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Positive = Annotated[float, Meta(gt=0)]
Path = Annotated[str, Meta(pattern=r"^/[!-~]*$", max_length=2_000)]
Field = Annotated[str, Meta(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]*$", max_length=100)]


class ScenarioError(ValueError):
    """A scenario that can't be played; the text names the place, the value and what is expected."""


class Expect(StrEnum):
    """What is expected of the answers to a stream, besides that there is one to each request."""

    ANY = "any"  # nothing
    ALLOWED = "allowed"  # none is denied
    WITHIN = "within"  # what is admitted is neither more nor clearly less than the limit allows
    LIMITED = "limited"  # as within, and the stream is over its limit, so that this means something


class Stream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Requests of one kind. Rates are per second, times in seconds from the start of the run.

    Empty or 0 is "not given": `path` the URL's own, `limit` none, `seconds` until the end of the
    scenario, `arrivals` the scenario's. `expect` is "within" with a limit and "any" without.
    """

    name: Name
    rate: Positive
    path: Path | None = None
    keys: Annotated[int, Meta(ge=1, le=MAX_KEYS)] = 1
    pick: Pick = Pick.TURN
    limit: str = ""
    expect: Expect | None = None
    start: Annotated[float, Meta(ge=0)] = 0.0
    seconds: Annotated[float, Meta(ge=0)] = 0.0
    arrivals: Arrivals | None = None

    @property
    def limits(self) -> Limits | None:
        """The limits of each key, None without any."""
        return parse_limits(self.limit) if self.limit else None

    @property
    def expected(self) -> Expect:
        """What is expected, also when it isn't given."""
        return self.expect or (Expect.WITHIN if self.limit else Expect.ANY)


class Scenario(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"streams": "stream"}
):
    """All streams. `baseline` names the one that isn't limited, which others are compared with.

    `key_header` is where keys go, "" when none are sent: then all requests are by one client.
    """

    seconds: Positive
    streams: Annotated[list[Stream], Meta(min_length=1, max_length=MAX_STREAMS)]
    about: str = ""
    key_header: Field = "x-api-key"
    arrivals: Arrivals = Arrivals.EVEN
    baseline: str = ""

    @property
    def names(self) -> list[str]:
        """The names of the streams."""
        return [stream.name for stream in self.streams]

    def seconds_of(self, stream: Stream) -> float:
        """How long a stream goes on."""
        return stream.seconds or self.seconds - stream.start

    @property
    def rate(self) -> float:
        """Requests a second, averaged over the scenario."""
        return self.requests / self.seconds

    @property
    def requests(self) -> float:
        """How many requests are planned; with Poisson arrivals it is the mean."""
        return sum(stream.rate * self.seconds_of(stream) for stream in self.streams)

    def scaled(self, rate: float | None = None, seconds: float | None = None) -> Scenario:
        """Return it at another rate (a second, on average) or for another time; None as it is.

        All rates and times are scaled alike. With the rate of a stream its number of keys is
        scaled too, so each key is asked for as often as before; a single key stays single.
        """
        times = 1.0 if rate is None else rate / self.rate
        longer = 1.0 if seconds is None else seconds / self.seconds
        streams = [_scaled(stream, times, longer) for stream in self.streams]
        return msgspec.structs.replace(self, seconds=self.seconds * longer, streams=streams)


def _scaled(stream: Stream, times: float, longer: float) -> Stream:
    return msgspec.structs.replace(
        stream,
        rate=stream.rate * times,
        keys=stream.keys if stream.keys == 1 else min(max(2, round(stream.keys * times)), MAX_KEYS),
        start=stream.start * longer,
        seconds=stream.seconds * longer,
    )


def require_playable(scenario: Scenario) -> Scenario:
    """Return a scenario whose parts fit together; ScenarioError for the first that doesn't."""
    names = scenario.names
    for number, stream in enumerate(scenario.streams):
        where = f"stream {stream.name!r}"
        if stream.name in names[:number]:
            raise ScenarioError(f"{where}: expected another name, there is one of that name before")
        if stream.start + stream.seconds > scenario.seconds * (1 + 1e-9):
            end = stream.start + stream.seconds
            raise ScenarioError(
                f"{where}: ends at {end:g} s, expected at most {scenario.seconds:g} s"
            )
        if stream.start >= scenario.seconds:
            raise ScenarioError(
                f"{where}: start = {stream.start:g}, expected less than {scenario.seconds:g}"
            )
        _require_meaning(stream, scenario, where)
    if scenario.baseline and scenario.baseline not in names:
        known = ", ".join(names)
        raise ScenarioError(f"baseline = {scenario.baseline!r}: expected a stream: {known}")
    if not scenario.requests <= MAX_REQUESTS:
        planned = f"{scenario.requests:,.0f}" if scenario.requests < inf else "endless"
        raise ScenarioError(f"{planned} requests planned, expected at most {MAX_REQUESTS:,}")
    return scenario


def _require_meaning(stream: Stream, scenario: Scenario, where: str) -> None:
    try:
        limits = stream.limits
    except LimitError as error:
        raise ScenarioError(f"{where}: limit = {stream.limit!r}: {error.why}") from None
    if not limits and stream.expected in {Expect.WITHIN, Expect.LIMITED}:
        raise ScenarioError(f"{where}: expect = {stream.expected.value!r}: expected a limit too")
    if stream.keys > 1 and not scenario.key_header:
        raise ScenarioError(
            f"{where}: keys = {stream.keys}: expected a header to send them in (key_header)"
        )
    if stream.name == scenario.baseline and limits:
        raise ScenarioError(f"{where}: limit = {stream.limit!r}: expected none on the baseline")


_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


def read_scenario(given: object) -> Scenario:
    """Return the scenario in what a TOML file holds; ScenarioError names what is wrong in it."""
    try:
        scenario = msgspec.convert(given, Scenario)
    except msgspec.ValidationError as error:
        raise ScenarioError(_in_words(str(error), given)) from None
    return require_playable(scenario)


def _in_words(text: str, given: object) -> str:
    """Name the value, where msgspec names only its place: `Expected … - at `$.stream[0].rate``."""
    why, _, path = text.partition(" - at `$")
    path = path.rstrip("`")
    value = given
    for name, number in _STEP.findall(path):
        try:
            value = value[int(number) if number else name]  # type: ignore[index]  # no list or table: then it is a TypeError
        except (LookupError, TypeError):
            return text
    where = path.removeprefix(".") or "the scenario"
    shown = "" if isinstance(value, dict | list) else f" = {value!r}"
    return f"{where}{shown}: {why[0].lower()}{why[1:]}"
