"""Prospect: what a plan can come to at all, found by replaying it before anything is sent. Pure."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from sidegate_sidecar.loadtest.plan.exact import Replay
from sidegate_sidecar.loadtest.plan.scenario import MAX_REQUESTS, Expect, Scenario, ScenarioError
from sidegate_sidecar.loadtest.plan.schedule import requests_of

if TYPE_CHECKING:
    from sidegate.buckets.limits import Limits

MAX_AHEAD: Final = 200_000  # requests looked at in search of how long would do: a second of work


def require_prospects(scenario: Scenario, seed: int) -> Scenario:
    """Return a scenario that sends in each stream, and goes over a limit where it says so.

    ScenarioError for the first stream that doesn't, whatever a service answers.
    """
    for number, stream in enumerate(scenario.streams):
        if next(requests_of(scenario, number, seed), None) is None:
            seconds = scenario.seconds_of(stream)
            raise ScenarioError(
                f"stream {stream.name!r}: no request is planned in {seconds:g} s"
                f" at {stream.rate:g} a second, expected at least one"
            )
        if stream.limits and stream.expected is Expect.LIMITED:
            _require_denial(scenario, number, seed, stream.limits)
    return scenario


def _require_denial(scenario: Scenario, number: int, seed: int, limits: Limits) -> None:
    if _first_denied(scenario, number, seed, limits) is not None:
        return
    stream = scenario.streams[number]
    needed = _seconds_needed(scenario, number, seed, limits)
    if needed:
        advice = f"--seconds {needed} or more"
    else:
        advice = "a higher --rate" if stream.keys == 1 else "it a higher rate, or fewer keys"
    raise ScenarioError(
        f"stream {stream.name!r} never goes over {limits} in {scenario.seconds_of(stream):g} s;"
        f" give {advice}"
    )


def _seconds_needed(scenario: Scenario, number: int, seed: int, limits: Limits) -> int | None:
    """Return for how long the scenario has to be stretched; None if that wouldn't do."""
    stream = scenario.streams[number]
    planned = scenario.seconds_of(stream)
    ahead = scenario.scaled(seconds=scenario.seconds * MAX_AHEAD / stream.rate / planned)
    denied = _first_denied(ahead, number, seed, limits)
    if denied is None:
        return None
    needed = ceil(scenario.seconds * (denied + 1 / stream.rate) / planned)
    enough = scenario.rate * needed <= MAX_REQUESTS
    return needed if enough else None


def _first_denied(scenario: Scenario, number: int, seed: int, limits: Limits) -> float | None:
    """Return how long after a stream's start an exact limiter denies for the first time."""
    exact = Replay(limits)
    for planned in requests_of(scenario, number, seed):
        if not exact.admits(planned.key, planned.at):
            return planned.at - scenario.streams[number].start
    return None
