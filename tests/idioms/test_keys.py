"""Whom a limit counts."""

from collections.abc import Iterator

from tests.idioms.rows import shows
from tests.support.processes.caller import Caller


@shows("several keys on one request")
def test_an_address_and_an_api_key_both_count(fastapi: Caller, address: str) -> None:
    """And what the one refuses the other isn't charged for."""
    one, two = ({"x-api-key": f"{name} of {address}"} for name in ("one", "two"))
    assert fastapi.passed("/keys/two-keys", 5, headers=one) == 2
    assert fastapi.passed("/keys/two-keys", 5, headers=two) == 2
    assert fastapi.passed("/keys/two-keys", 1, headers={"x-api-key": f"three {address}"}) == 0


@shows("key by user, behind authentication")
def test_users_of_a_middleware(fastapi: Caller, addresses: Iterator[str]) -> None:
    """Whatever their addresses; who is nobody counts by address."""
    user, other = {"x-user": next(addresses)}, Caller(fastapi.url, next(addresses))
    assert fastapi.passed("/keys/user", 1, headers=user) == 1
    assert other.passed("/keys/user", 2, headers=user) == 1
    assert other.passed("/keys/user", 3) == 2
    assert fastapi.passed("/keys/user", 3) == 2


@shows("key by user, behind authentication")
def test_users_of_a_dependency(fastapi: Caller, addresses: Iterator[str]) -> None:
    token = {"x-token": f"token-of-{next(addresses)}"}
    assert fastapi.passed("/keys/token", 1, headers=token) == 1
    assert Caller(fastapi.url, next(addresses)).passed("/keys/token", 2, headers=token) == 1


@shows("key by a field of the body")
def test_a_field_of_json(fastapi: Caller, address: str) -> None:
    """The route reads the body all the same."""
    tries = [fastapi.ask("/keys/login", "POST", json={"username": f"Ann {address}"})]
    assert tries[0].json() == f"Ann {address}"
    assert fastapi.passed("/keys/login", 2, "POST", json={"username": f"ann {address}"}) == 1
    assert fastapi.passed("/keys/login", 3, "POST", json={"username": f"bob {address}"}) == 2
