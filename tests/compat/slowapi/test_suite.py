"""slowapi's own tests pass with ours, but for what known.py lists.

No sdist of slowapi has its tests. So they are run where SIDEGATE_SLOWAPI_TESTS names the folder
`tests` of a checkout, for which `hiro` is to be installed; without it they are skipped.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.compat.slowapi.known import IN_PROCESS, OVER_A_SIDECAR
from tests.support.processes.services import Sidecar

HERE: Final = Path(__file__).parent
SECONDS: Final = 300  # for all of them; on an idle machine they take 25
PYTEST: Final = (
    *("-m", "pytest", "-q", "-p", "plug.suite", "-p", "no:sidegate", "-p", "no:cacheprovider"),
    *("-p", "no:xdist", "-c", os.devnull, "--rootdir", ".", "-W", "ignore", "tests"),
)


def failed(folder: Path, uri: str = "") -> set[str]:
    """Run their tests, and return which ones failed."""
    suite = os.environ.get("SIDEGATE_SLOWAPI_TESTS")
    if not suite:
        pytest.skip("no sdist of slowapi has its tests: SIDEGATE_SLOWAPI_TESTS says where they are")
    if importlib.util.find_spec("hiro") is None:
        pytest.skip("hiro, by which they move time: pip install hiro")
    told = folder / "outcomes.json"
    settings = {name: it for name, it in os.environ.items() if not name.startswith("SIDEGATE_")}
    ours = {"SUITE_OUTCOMES": str(told), "SUITE_URI": uri, "PYTHONDONTWRITEBYTECODE": "1"}
    paths = os.pathsep.join([str(HERE), settings.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *PYTEST],
        cwd=Path(suite).parent,
        env=settings | ours | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert told.is_file(), done.stdout + done.stderr
    outcomes = dict(json.loads(told.read_text()))
    assert len(outcomes) >= 100, done.stdout
    return {name for name, became in outcomes.items() if became != "passed"}


def test_in_this_process(tmp_path: Path) -> None:
    """On their frozen clocks."""
    assert failed(tmp_path) == set(IN_PROCESS)


def test_over_a_sidecar(tmp_path: Path, sidecar: Sidecar) -> None:
    """On the clock of a real one."""
    assert failed(tmp_path, f"sidegate://{sidecar.link}") == set(OVER_A_SIDECAR)
