"""Tests of another project, from the sdist that its release on the package index has."""

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.support.optional import missing

KEPT: Final = Path(sys.prefix) / "suites"  # which make clean removes
SECONDS: Final = 120  # to fetch one, and to have its build say what it is called


def suite_of(package: str) -> Path:
    """Return the folder that has the `tests` of a package, of the release that is installed here.

    They are fetched once, by the package's name. Where that can't be done the test that wants them
    is skipped; in CI it fails.
    """
    name = f"{package}-{version(package)}"
    folder = KEPT / name
    if not folder.is_dir():
        KEPT.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=KEPT) as beside:
            made = Path(beside) / "made"
            with tarfile.open(_fetched(package, Path(beside))) as archive:
                archive.extractall(made, _tests(archive), filter="data")
            _put(made, folder)
    return folder


def _fetched(package: str, into: Path) -> Path:
    """Download the sdist that belongs to the installed release."""
    wanted = f"{package}=={version(package)}"
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", package)
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(into), wanted]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        missing(f"the sdist of {wanted}, which pip didn't get within {SECONDS} s")
    found = list(into.glob("*.tar.gz"))
    if done.returncode or len(found) != 1:
        missing(f"the sdist of {wanted}, which pip doesn't get: {done.stderr.strip()[-300:]}")
    return found[0]


def _tests(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Return what is in `tests`, without the folder that everything is in."""
    for member in archive.getmembers():
        _, _, path = member.name.partition("/")
        if path.startswith("tests/"):
            yield member.replace(name=path)


def _put(made: Path, folder: Path) -> None:
    """Put it into its place, unless another process was earlier."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
