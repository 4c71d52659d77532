"""Who shares a limit, and who is let off."""

import pytest

from tests.idioms.rows import shows
from tests.support.processes.caller import Caller


@shows("limit that routes share")
def test_routes_share_a_limit_by_its_scope(fastapi: Caller) -> None:
    assert fastapi.passed("/scopes/reports", 2) == 2
    assert fastapi.passed("/scopes/search", 2, "POST") == 1
    assert fastapi.passed("/scopes/reports", 1) == 0


@shows("limit that routes share")
def test_a_scope_may_be_a_function(fastapi: Caller) -> None:
    assert fastapi.passed("/scopes/tenants/x/a", 1) == 1
    assert fastapi.passed("/scopes/tenants/x/b", 2) == 1
    assert fastapi.passed("/scopes/tenants/y/b", 3) == 2


@shows("exempt path")
@pytest.mark.parametrize("path", ["/scopes/metrics", "/scopes/static/logo"])
def test_paths_are_exempt(fastapi: Caller, path: str) -> None:
    assert fastapi.passed(path, 4) == 4


@shows("exempt view, or group of views")
def test_a_view_is_exempt(fastapi: Caller) -> None:
    assert fastapi.passed("/scopes/free", 4) == 4


@shows("exempt when")
def test_some_are_let_off_one_limit(fastapi: Caller) -> None:
    assert fastapi.passed("/scopes/internal", 3, headers={"x-internal": "yes"}) == 3
    assert fastapi.passed("/scopes/internal", 3) == 1


@shows("exempt when")
def test_some_are_let_off_all_limits(fastapi: Caller) -> None:
    assert fastapi.passed("/scopes/default", 4, headers={"user-agent": "probe/1"}) == 4
    assert fastapi.passed("/scopes/default", 4) == 2
