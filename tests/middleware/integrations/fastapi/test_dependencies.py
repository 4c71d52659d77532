"""FastAPI: limits by `Depends(limiter.dep(…))`, of a route, a router or an app."""

# A function of the request is one of any framework's, so lambdas have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from fastapi.testclient import TestClient

from sidegate import Limiter, RateLimitExceeded, client_ip
from sidegate.testing import Memory
from tests.support.apps.limited import asking, statuses
from tests.support.middleware.counting_client import CountingClient

pytestmark = pytest.mark.usefixtures("sidegate")


def user(x_user: Annotated[str, Header()] = "anon") -> str | None:
    """Return who asks, None for the owner."""
    return None if x_user == "owner" else x_user


def as_user(name: str) -> dict[str, Any]:
    return {"headers": {"x-user": name}}


def route(app: FastAPI, limiter: Limiter, limits: Any, path: str = "/x", **options: Any) -> None:
    """Give an app a route whose limits are a dependency."""

    @app.get(path, dependencies=[Depends(limiter.dep(limits, **options))])
    @app.post(path, dependencies=[Depends(limiter.dep(limits, **options))])
    async def x() -> int | None:
        return limiter.current.remaining


@pytest.mark.parametrize("with_middleware", [True, False])
def test_a_dependency_limits_a_route(with_middleware: bool) -> None:
    """Without the middleware only responses that are let through lack the fields."""
    limiter, app = Limiter(), FastAPI()
    route(app, limiter, "2/minute; 5/hour")
    client = asking(limiter, app) if with_middleware else TestClient(app)
    first = client.get("/x")
    assert (first.status_code, "ratelimit" in first.headers) == (200, with_middleware)
    assert statuses(client, "/x", "/x", method="POST") == [200, 429]
    refused = client.get("/x")
    assert refused.json()["title"] == "Quota Exceeded"
    assert refused.headers["retry-after"] == "30"
    assert len(refused.headers.get_list("ratelimit")) == 1


@pytest.mark.parametrize("with_middleware", [True, False])
@pytest.mark.parametrize("kind", [RateLimitExceeded, HTTPException, 429])
def test_handlers_of_the_app_answer(kind: Any, with_middleware: bool) -> None:
    limiter, app = Limiter(), FastAPI()
    route(app, limiter, "1/minute")

    @app.exception_handler(kind)
    def own(_: Request, error: RateLimitExceeded) -> Response:
        return JSONResponse({"own": error.detail}, error.status_code, error.headers)

    client = asking(limiter, app) if with_middleware else TestClient(app)
    assert client.get("/x").status_code == 200
    refused = client.get("/x")
    assert (refused.status_code, [*refused.json()]) == (429, ["own"])
    assert len(refused.headers.get_list("retry-after")) == 1


# --- keys


@pytest.mark.parametrize("with_middleware", [True, False])
def test_what_another_dependency_returns_may_be_the_key(
    with_middleware: bool, sidegate: Memory
) -> None:
    limiter, app = Limiter(), FastAPI()
    route(app, limiter, "1/minute", key=Depends(user), scope="items")
    client = asking(limiter, app) if with_middleware else TestClient(app)
    assert statuses(client, "/x", "/x", **as_user("a")) == [200, 429]
    assert statuses(client, "/x", "/x", **as_user("b")) == [200, 429]
    assert statuses(client, "/x", "/x", **as_user("owner")) == [200, 200]
    assert sidegate.keys() == ["items:a", "items:b"]


def test_a_dependency_that_refuses_itself_comes_first(sidegate: Memory) -> None:
    limiter, app, basic = Limiter(), FastAPI(), HTTPBasic()

    def known(credentials: Annotated[HTTPBasicCredentials, Depends(basic)]) -> str:
        return credentials.username

    route(app, limiter, "1/minute", key=Depends(known))
    client = asking(limiter, app)
    assert statuses(client, "/x", "/x") == [401, 401]
    assert sidegate.keys() == []
    assert statuses(client, "/x", "/x", auth=("a", "b")) == [200, 429]


def test_overrides_of_the_app_s_tests_apply_to_the_key(sidegate: Memory) -> None:
    limiter, app = Limiter(), FastAPI()
    route(app, limiter, "1/minute", key=Depends(user), scope="items")
    app.dependency_overrides[user] = lambda: "tester"
    assert statuses(asking(limiter, app), "/x", "/x") == [200, 429]
    assert sidegate.keys() == ["items:tester"]


@pytest.mark.parametrize("key", [client_ip(), lambda: "me", lambda request: request.client.host])
def test_a_key_may_be_a_function_as_for_limit(key: Any) -> None:
    limiter, app = Limiter(), FastAPI()
    route(app, limiter, "1/minute", key=key)
    assert statuses(asking(limiter, app), "/x", "/x") == [200, 429]


def test_limits_by_plan_are_a_function_of_the_request() -> None:
    plans = {"free": "1/minute", "paid": "2/minute"}

    async def of_plan(request: Request) -> str | None:
        return plans.get(request.headers["x-user"])

    limiter, app = Limiter(), FastAPI()
    route(app, limiter, of_plan, key=Depends(user))
    client = asking(limiter, app)
    for name, expected in {
        "free": [200, 429, 429],
        "paid": [200, 200, 429],
        "vip": [200] * 3,
    }.items():
        assert statuses(client, "/x", "/x", "/x", **as_user(name)) == expected


# --- where it stands


def test_a_router_s_dependency_is_for_each_of_its_routes() -> None:
    limiter = Limiter(default_limits="1/minute")
    app = FastAPI()
    inner = APIRouter(dependencies=[Depends(limiter.dep("2/minute"))])

    @inner.get("/a")
    def a() -> None: ...

    @inner.get("/b")
    def b() -> None: ...

    @inner.get("/free")
    @limiter.exempt
    def free() -> None: ...

    app.include_router(inner, prefix="/v1")
    client = asking(limiter, app)
    assert statuses(client, "/v1/a", "/v1/a", "/v1/b", "/v1/b") == [200] * 4
    assert statuses(client, "/v1/a", "/v1/b") == [429, 429]
    assert statuses(client, *["/v1/free"] * 4) == [200] * 4


@pytest.mark.parametrize("where", ["route", "router", "include", "app", "argument", "below"])
def test_wherever_it_stands_it_overrides_the_defaults(where: str, sidegate: Memory) -> None:
    limiter = Limiter(default_limits="1/minute")
    depends = Depends(limiter.dep("2/minute"))
    given = {name: [depends] if where == name else [] for name in ("route", "router", "include")}
    app = FastAPI(dependencies=[depends] if where == "app" else [])
    router = APIRouter(dependencies=given["router"])

    def none() -> None: ...

    def below(_: Annotated[None, depends]) -> None: ...

    argument = {"argument": depends, "below": Depends(below)}.get(where, Depends(none))

    @router.get("/x", dependencies=given["route"])
    def x(_: Annotated[None, argument]) -> None: ...

    app.include_router(router, prefix="/v1", dependencies=given["include"])
    assert statuses(asking(limiter, app), "/v1/x", "/v1/x", "/v1/x") == [200, 200, 429]
    (key,) = sidegate.keys()
    assert sidegate.spent(key) == {"2/minute": 2}


def test_override_defaults_false_has_both() -> None:
    limiter, app = Limiter(default_limits="1/minute"), FastAPI()
    route(app, limiter, "2/minute", override_defaults=False)
    assert statuses(asking(limiter, app), "/x", "/x") == [200, 429]


def test_a_dependency_beside_a_decorator_and_the_application_s() -> None:
    """What the decorator says is checked first; both are charged."""
    limiter, app = Limiter("9/minute"), FastAPI()

    @app.get("/x", dependencies=[Depends(limiter.dep("2/minute"))])
    @limiter.limit("3/minute")
    def x() -> None: ...

    client = asking(limiter, app)
    response = client.get("/x")
    assert [f"q={quota};" in response.headers["ratelimit-policy"] for quota in (9, 3, 2)] == [
        True
    ] * 3
    assert statuses(client, "/x", "/x") == [200, 429]


# --- options


def test_methods_are_those_it_counts() -> None:
    limiter, app = Limiter(), FastAPI()
    route(app, limiter, "1/minute", methods=["POST"])
    client = asking(limiter, app)
    assert statuses(client, "/x", "/x") == [200, 200]
    assert statuses(client, "/x", "/x", method="POST") == [200, 429]


def test_per_method_counts_each_for_itself() -> None:
    limiter, app = Limiter(), FastAPI()
    route(app, limiter, "1/minute", per_method=True)
    client = asking(limiter, app)
    assert statuses(client, "/x", "/x") == [200, 429]
    assert statuses(client, "/x", "/x", method="POST") == [200, 429]


def test_cost_scope_and_exempt_when_are_as_for_limit(sidegate: Memory) -> None:
    limiter, app = Limiter(), FastAPI()
    shared: dict[str, Any] = {
        "scope": lambda request: request.headers["x-user"],
        "cost": lambda request: int(request.query_params["cost"]),
        "exempt_when": lambda request: request.headers["x-user"] == "owner",
    }
    route(app, limiter, "5/minute", "/x", **shared)
    route(app, limiter, "5/minute", "/y", **shared)
    client = asking(limiter, app)
    assert statuses(client, "/x?cost=3", "/y?cost=2", "/x?cost=1", **as_user("a")) == [
        200,
        200,
        429,
    ]
    assert statuses(client, "/x?cost=6", **as_user("b")) == [429]
    assert statuses(client, *["/x?cost=5"] * 3, **as_user("owner")) == [200] * 3
    assert sidegate.keys() == ["a:testclient"]


def test_on_denied_error_message_and_charge_when_are_as_for_limit() -> None:
    limiter, app = Limiter(), FastAPI()
    route(app, limiter, "1/minute", "/a", on_denied=lambda *_: {"own": 1})
    route(app, limiter, "1/minute", "/b", error_message="slow down")
    route(app, limiter, "1/minute", "/c", charge_when=lambda response: response.status_code != 200)
    client = asking(limiter, app)
    assert statuses(client, "/a", "/b", "/c", "/c", "/c") == [200] * 5
    assert client.get("/a").json() == {"own": 1}
    assert client.get("/b").json()["detail"] == "slow down"


def test_filters_and_exempt_paths_let_off_as_well() -> None:
    limiter, app = Limiter(exempt=["/free"]), FastAPI()
    route(app, limiter, "1/minute", "/x")
    route(app, limiter, "1/minute", "/free")

    @limiter.request_filter
    async def of_owner(request: Request) -> bool:
        return request.headers.get("x-user") == "owner"

    client = asking(limiter, app)
    assert statuses(client, "/free", "/free") == [200, 200]
    assert statuses(client, "/x", "/x", **as_user("owner")) == [200, 200]
    assert statuses(client, "/x", "/x") == [200, 429]


def test_a_dependency_that_stands_twice_is_checked_once() -> None:
    """FastAPI keeps what it has called; another one of the same buckets is paid already."""
    client = CountingClient()
    limiter, app = Limiter(client=client), FastAPI()
    one, two = limiter.dep("1/minute", scope="db"), limiter.dep("1/minute", scope="db")

    @app.get("/x", dependencies=[Depends(one), Depends(one), Depends(two)])
    def x() -> None: ...

    assert statuses(asking(limiter, app), "/x") == [200]
    assert client.single == [("db:testclient", "1/minute")]
