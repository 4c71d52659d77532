"""Scripts of this folder, each run in a process of its own."""

import subprocess
import sys
from pathlib import Path

from tests.support.waiting import PATIENCE


def run(script: str, *arguments: str) -> list[str]:
    """Run a script of this folder; return the lines that it prints."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name(script), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
