"""Runs of their suites with our storage, and what became of each test."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.compat.published import suite_of

HERE: Final = Path(__file__).parent
SECONDS: Final = 120  # for one suite, of which the longest sleeps for 25
# In a folder without settings, theirs or ours; and without what our own tests ask for.
PYTEST: Final = (
    *("-m", "pytest", "-q", "-p", "plug.suite", "-p", "no:sidegate", "-p", "no:cacheprovider"),
    *("-p", "no:xdist", "-c", str(HERE / "plug" / "pytest.ini"), "--rootdir", ".", "-W", "ignore"),
)


def outcomes(package: str, folder: Path, *paths: str, sidecar: str = "") -> dict[str, str]:
    """Run tests of a package; return what became of each: passed, failed, skipped or xfailed."""
    told = folder / "outcomes.json"
    settings = {name: it for name, it in os.environ.items() if not name.startswith("SIDEGATE_")}
    ours = {"PYTHONPATH": str(HERE), "SUITE_OUTCOMES": str(told), "SUITE_SIDECAR": sidecar}
    done = subprocess.run(
        [sys.executable, *PYTEST, *paths],
        cwd=suite_of(package),
        env=settings | ours | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert told.is_file(), done.stdout + done.stderr
    (folder / "report.txt").write_text(done.stdout)
    return dict(json.loads(told.read_text()))
