"""Whoever imports slowapi gets ours; what became of each test goes into a file.

SUITE_URI is a `storage_uri`; without it limits are counted in the process. SUITE_OUTCOMES is where
that file is to be.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from starlette.applications import Starlette

from sidegate.compat.slowapi import Limiter

_outcomes: dict[str, str] = {}
_LEFT = 10.0  # seconds of a minute that the longest test needs, on a busy machine


def _take_over() -> None:
    for module in ("", ".errors", ".extension", ".middleware", ".util", ".wrappers"):
        ours = importlib.import_module(f"sidegate.compat.slowapi{module}")
        sys.modules[f"slowapi{module}"] = ours
    sys.modules.setdefault("mock", mock)  # the package that has become this module
    if uri := os.environ.get("SUITE_URI"):
        Limiter.__init__ = _counting_at(uri)  # type: ignore[method-assign]  # theirs, counted


def _counting_at(uri: str) -> Callable[..., None]:
    """Return how a Limiter is made: nothing is counted there when a test begins."""
    made = Limiter.__init__

    def init(limiter: Limiter, *args: Any, **options: Any) -> None:
        made(limiter, *args, **{"storage_uri": uri, **options})
        limiter.reset()

    return init


def _route(app: Starlette, path: str) -> Callable[..., Any]:
    """Add a route by a decorator, which Starlette has no more."""

    def added(view: Any) -> Any:
        app.add_route(path, view)
        return view

    return added


@pytest.fixture(autouse=True)
def within_a_minute() -> None:
    """Begin no test where a minute is about to end: their windows begin at the first hit."""
    deadline = time.monotonic() + 2 * _LEFT
    while time.time() % 60 > 60 - _LEFT:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what became of a test, at the first step that wasn't well."""
    if report.when == "call" or not report.passed:
        _outcomes.setdefault(report.nodeid, report.outcome)


def pytest_sessionfinish() -> None:
    """Write down what was found."""
    Path(os.environ["SUITE_OUTCOMES"]).write_text(json.dumps(_outcomes))


_take_over()
if not hasattr(Starlette, "route"):
    Starlette.route = _route  # type: ignore[attr-defined]  # of older releases
