"""Limiter.key: the very keys that its checks make; and peeking and resetting by them."""

import asyncio
from ipaddress import IPv4Address
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from sidegate import BlockingClient, Client, Limiter, Rule, header
from sidegate.testing import Memory
from tests.support.middleware.checker import Checker


def user(request: Any) -> str:
    """Return whose request it is, as its framework has it."""
    return str(request.headers["x-user"])


def tenant(request: Any) -> str:
    """Return whose scope a request is counted in."""
    return str(request.headers["x-tenant"])


limiter = Limiter("1000/day", default_limits="500/day", key=user, service="shop")
app = FastAPI()
app.add_middleware(limiter.asgi)


@app.get("/login")
@limiter.limit("5/day")
async def login() -> None:
    pass


@app.get("/plain")
def plain() -> None:
    pass


@app.get("/items")
@app.post("/items")
@limiter.limit("7/day", per_method=True)
def items() -> None:
    pass


@app.get("/report")
@limiter.shared_limit("9/day", scope="db")
def report() -> None:
    pass


@app.get("/export")
@limiter.shared_limit("8/day", scope=tenant)
def export() -> None:
    pass


@app.get("/reset", dependencies=[Depends(limiter.dep("3/hour"))])
async def reset() -> dict[str, int]:
    return await limiter.reset("ann", login)


def ask(path: str, method: str = "GET") -> int:
    headers = {"x-user": "ann", "x-tenant": "a/b: c"}
    with TestClient(app) as client:
        return client.request(method, path, headers=headers).status_code


@pytest.mark.parametrize(
    ("path", "method", "where", "spent"),
    [
        ("/login", "GET", {"view": login}, {"5/day": 1}),
        ("/login", "GET", {"view": f"{__name__}.login"}, {"5/day": 1}),
        ("/plain", "GET", {"view": plain}, {"500/day": 1}),
        ("/items", "GET", {"view": items, "method": "HEAD"}, {"7/day": 1}),
        ("/items", "POST", {"view": items, "method": "POST"}, {"7/day": 1}),
        ("/report", "GET", {"scope": "db"}, {"9/day": 1}),
        ("/export", "GET", {"scope": "a/b: c"}, {"8/day": 1}),
        ("/nothing", "GET", {}, {"1000/day": 1}),
    ],
)
def test_a_key_is_that_of_the_checks(
    sidegate: Memory, path: str, method: str, where: dict[str, Any], spent: dict[str, int]
) -> None:
    ask(path, method)
    assert sidegate.spent(limiter.key("ann", **where)) == spent
    assert limiter.peek_blocking("ann", **where) == spent
    assert asyncio.run(limiter.peek("ann", **where)) == spent
    assert limiter.peek_blocking("bob", **where) == {}
    assert limiter.reset_blocking("ann", **where) == spent
    assert asyncio.run(limiter.reset("ann", **where)) == {}
    ask(path, method)
    assert asyncio.run(limiter.reset("ann", **where)) == spent
    assert sidegate.spent(limiter.key("ann", **where)) == {}


def test_a_handler_makes_a_client_whole_again(sidegate: Memory) -> None:
    assert [ask("/login") for _ in range(6)] == [200] * 5 + [429]
    assert ask("/reset") == 200
    assert ask("/login") == 200
    assert sidegate.spent(f"shop/{__name__}.login:ann") == {"5/day": 1}


def test_keys_are_texts_that_may_be_written_down() -> None:
    assert limiter.key(42, login) == f"shop/{__name__}.login:42"
    assert limiter.key(42) == "shop/default:42"
    assert limiter.key(42, scope="db") == "shop/db:42"
    assert Limiter("5/day").key(IPv4Address("192.0.2.1")) == "default:192.0.2.1"


async def test_a_rule_is_found_by_its_name(sidegate: Memory) -> None:
    by_key = Rule("api", "5/day", key=header("x-api-key"))
    key = Limiter(rules=[by_key]).key("x-api-key=7", scope="api")
    assert key == "api:x-api-key=7"
    assert sidegate.keys() == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"view": login, "scope": "db"}, r"^scope='db': expected a view or a scope, not both$"),
        ({"view": 7}, r"^view=7: expected a function, a class, or a route's name$"),
        ({"view": ""}, r"^view='': expected a name$"),
        ({"scope": ""}, r"^scope='': expected a name$"),
        ({"view": items}, r"^method='': expected one, which <function items.* counts for itself$"),
        (
            {"view": lambda: None},
            r"^view=<function <lambda>.*: its buckets are called by its path too",
        ),
    ],
)
def test_what_names_no_buckets_is_an_error(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        limiter.key("ann", **arguments)


def test_an_application_without_limits_has_no_key() -> None:
    with pytest.raises(ValueError, match=r"^view=None: expected a view or a scope; the applic"):
        Limiter(default_limits="5/day").key("ann")


@pytest.mark.parametrize("identity", [None, True, 1.5, b"ann"])
def test_what_is_no_identity_is_an_error(identity: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a text, a number, a UUID, an IP address"):
        limiter.key(identity)


async def test_a_client_that_it_was_given_is_asked(sidegate: Memory) -> None:
    async with Client() as given:
        limits = Limiter("5/day", client=given)
        await given.check("default:7", "5/day")
        assert await limits.peek(7) == await limits.reset(7) == {"5/day": 1}
    assert Limiter("5/day", client=BlockingClient()).peek_blocking(7) == sidegate.spent("default:7")


@pytest.mark.parametrize("client", [Checker(), BlockingClient("off")])
async def test_a_client_of_another_kind_is_no_client_to_peek_with(client: Any) -> None:
    with pytest.raises(ValueError, match=r"client=.*: expected a Client, or None"):
        await Limiter("1/day", client=client).peek(7)
