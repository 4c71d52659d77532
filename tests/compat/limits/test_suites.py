"""The suites of limits and Flask-Limiter pass with our storage, but for what known.py lists."""

from pathlib import Path
from typing import Final

from tests.compat.limits.known import EITHER, OF_FLASK_LIMITER, OF_LIMITS, OF_LIMITS_AIO
from tests.compat.limits.runs import outcomes
from tests.support.processes.services import Sidecar
from tests.support.waiting import in_threads

SYNC: Final = ("tests/test_strategy.py", "tests/test_storage.py", "tests/storage/test_memory.py")
AIO: Final = tuple(path.replace("tests/", "tests/aio/", 1) for path in SYNC)
STRATEGIES: Final = ("FixedWindow", "SlidingWindow", "MovingWindow")
PARTS: Final = (
    *([f"{SYNC[0]}::Test{name}"] for name in STRATEGIES),
    *([f"{AIO[0]}::TestAsync{name}"] for name in STRATEGIES),
    [*SYNC[1:], *AIO[1:]],
)
# They mark it as one that fails; it wants flask-restx.
NOT_RUN: Final = {"tests/test_views.py::test_flask_restx_resource"}


def failed(found: dict[str, str]) -> set[str]:
    """Return which tests didn't pass, of those that are to."""
    return {name for name, became in found.items() if became != "passed"} - NOT_RUN


def test_flask_limiter_in_process(tmp_path: Path) -> None:
    """All of its tests that need no database, on their frozen clocks."""
    found = outcomes("flask-limiter", tmp_path, "tests")
    assert failed(found) == set(OF_FLASK_LIMITER)
    assert len(found) == 114


def test_limits_in_process(tmp_path: Path) -> None:
    """Its tests of strategies and storages, for threads."""
    found = outcomes("limits", tmp_path, *SYNC)
    assert failed(found) == set(OF_LIMITS)
    assert len(found) == 28


def test_limits_for_loops_in_process(tmp_path: Path) -> None:
    """The same for event loops."""
    found = outcomes("limits", tmp_path, *AIO)
    assert failed(found) == set(OF_LIMITS_AIO)
    assert len(found) == 29


def test_flask_limiter_over_a_sidecar(tmp_path: Path, sidecar: Sidecar) -> None:
    """Those that neither freeze time nor move it."""
    found = outcomes("flask-limiter", tmp_path, "tests", sidecar=str(sidecar.link))
    assert failed(found) == set()
    assert len(found) == 43


def test_limits_over_a_sidecar(tmp_path: Path, sidecar: Sidecar) -> None:
    """Its tests of strategies and storages, for threads and for event loops.

    They wait for time to pass, so those of each strategy run at the same time as others.
    """

    def run(number: int) -> dict[str, str]:
        folder = tmp_path / str(number)
        folder.mkdir()
        return outcomes("limits", folder, *PARTS[number], sidecar=str(sidecar.link))

    found = {name: it for part in in_threads(len(PARTS), run) for name, it in part.items()}
    assert failed(found) - EITHER == set(OF_LIMITS | OF_LIMITS_AIO)
    assert len(found) == 57
