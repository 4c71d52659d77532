"""What a test needs of a machine and may miss: then it is skipped, and in CI it fails."""

import os
from typing import Final, NoReturn

import pytest

WITHOUT_GO: Final = "without-go"  # SIDEGATE_CI says so where .ci/run found no way to get it


def in_ci() -> bool:
    """Is this a run in which nothing may be missing?"""
    return bool(os.environ.get("SIDEGATE_CI"))


def missing(what: str) -> NoReturn:
    """Skip the test and say what is missing; in CI fail it."""
    if in_ci():
        pytest.fail(f"needed in CI: {what}")
    pytest.skip(what)


def missing_build(what: str) -> NoReturn:
    """Do the same for what Go would have built; CI that can't get Go says so, and skips it."""
    if os.environ.get("SIDEGATE_CI") == WITHOUT_GO:
        pytest.skip(f"even CI couldn't get go: {what}")
    missing(what)
