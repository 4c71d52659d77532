"""What a test needs of a machine and may miss: then it is skipped, and in CI it fails."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def in_ci() -> bool:
    """Is this a run in which nothing may be missing?"""
    return bool(os.environ.get("SIDEGATE_CI"))


def missing(what: str) -> NoReturn:
    """Skip the test and say what is missing; in CI fail it."""
    if in_ci():
        pytest.fail(f"needed in CI: {what}")
    pytest.skip(what)
