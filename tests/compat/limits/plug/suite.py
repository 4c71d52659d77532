"""Which of their tests are run, on which clock, and what became of each.

SUITE_SIDECAR is the address of a sidecar; without it ours keeps limits in this process, and time
is that of the tests. Into the file SUITE_OUTCOMES goes what became of each test.
"""

import inspect
import json
import os
from pathlib import Path
from types import FunctionType
from typing import Final, cast

import pytest

from .clock import LEFT, Clock, until_window
from .stand_ins import stand_in
from .storages import take_over

SIDECAR: Final = os.environ.get("SUITE_SIDECAR", "")
OUTCOMES: Final = Path(os.environ["SUITE_OUTCOMES"])
DATABASES: Final = {"redis_connection", "memcached_connection", "mongo_connection"}
BY_NAME: Final = {"test_fallback_to_memory"}  # asks for Redis itself, by its address
OF_TIME: Final = ("hiro", "timeline")  # by which tests freeze time, or move it
OF_MEMORY: Final = ("tests/storage/test_memory.py", "tests/aio/storage/test_memory.py")
OF_LIMITS: Final = Path.cwd().name.startswith("limits-")
# Flask-Limiter's round down, and take it that no second has just begun.
LATE: Final = 0.0 if OF_LIMITS else 0.25

stand_in()
take_over(SIDECAR)
_outcomes: dict[str, str] = {}


@pytest.fixture(autouse=True)
def whole_windows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin each test where windows begin, since theirs begin at the first hit."""
    if not SIDECAR:
        Clock(LATE).set_up(monkeypatch)
    elif hasattr(request.function, "__wrapped__"):  # by fixed_start, which waits for a full second
        until_window(2, -LEFT)
    elif "second" in source_of(request.node).lower():  # of longer windows enough is left
        until_window(2 if OF_LIMITS else 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a database or has nothing to do with a storage.

    With a sidecar also what freezes time, or moves it.
    """
    kept = [it for it in items if isinstance(it, pytest.Function) and _is_wanted(it)]
    config.hook.pytest_deselected(items=[it for it in items if it not in kept])
    items[:] = kept


def _is_wanted(item: pytest.Function) -> bool:
    if SIDECAR and any(it in source_of(item) for it in OF_TIME):
        return False
    uri = item.callspec.params.get("uri") if hasattr(item, "callspec") else None
    if uri is not None:
        return uri in {"memory://", "async+memory://"}
    if OF_LIMITS:
        return item.nodeid.startswith(OF_MEMORY)
    return item.name not in BY_NAME and not DATABASES.intersection(item.fixturenames)


def source_of(item: pytest.Function) -> str:
    """Return the text of a test."""
    return inspect.getsource(cast("FunctionType", item.obj))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what became of a test, at the first step that wasn't well."""
    if report.when == "call" or not report.passed:
        became = "xfailed" if hasattr(report, "wasxfail") else report.outcome
        _outcomes.setdefault(report.nodeid, became)


def pytest_sessionfinish() -> None:
    """Write down what was found."""
    OUTCOMES.write_text(json.dumps(_outcomes))
