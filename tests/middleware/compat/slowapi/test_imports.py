"""What the import line imports."""

import subprocess
import sys

import pytest

NAMES = """
import sys
from sidegate.compat.slowapi import Limiter, _rate_limit_exceeded_handler
from sidegate.compat.slowapi.errors import RateLimitExceeded
from sidegate.compat.slowapi.extension import Limiter, _rate_limit_exceeded_handler
from sidegate.compat.slowapi.middleware import SlowAPIASGIMiddleware, SlowAPIMiddleware
from sidegate.compat.slowapi.util import get_ipaddr, get_remote_address
from sidegate.compat.slowapi.wrappers import Limit, LimitGroup
found = [it for it in sys.modules if it.partition(".")[0] in
         {"slowapi", "limits", "fastapi", "redis", "sidegate_sidecar", "trio", "opentelemetry"}]
print(found)
"""


def ran(program: str) -> str:
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_neither_slowapi_nor_what_it_needs_is_imported() -> None:
    assert ran(NAMES) == "[]\n"


@pytest.mark.parametrize("module", ["sidegate", "sidegate.limiter.limiter", "sidegate.testing"])
def test_who_does_not_ask_for_it_has_none_of_it(module: str) -> None:
    program = f"import sys, {module}; print([it for it in sys.modules if 'compat' in it])"
    assert "sidegate.compat" not in ran(program)
