"""An app before and after its move from slowapi: what its tests say of all, and what differs.

Between the two only its import lines are changed.
"""

from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from sidegate.testing import Memory
from tests.docs.from_slowapi import after, before


def with_other_imports() -> Any:
    """Return the first app, with what stands in for slowapi."""
    text = Path(before.__file__).read_text("utf-8")
    made = ModuleType("tests.docs.from_slowapi.between")
    exec(text.replace("from slowapi", "from sidegate.compat.slowapi"), vars(made))
    return made


BETWEEN: Final = with_other_imports()
APPS: Final = {"before": before.app, "between": BETWEEN.app, "after": after.app}

pytestmark = pytest.mark.usefixtures("sidegate")


@pytest.fixture(autouse=True)
def fresh() -> None:
    before.limiter.reset()
    BETWEEN.limiter.reset()


@pytest.fixture(params=APPS)
def client(request: pytest.FixtureRequest) -> TestClient:
    app: FastAPI = APPS[request.param]
    return TestClient(app)


def statuses(client: TestClient, path: str, times: int, **headers: str) -> list[int]:
    sent = {f"x-{name}": value for name, value in headers.items()}
    return [client.get(path, headers=sent).status_code for _ in range(times)]


def test_default_limits_are_of_each_route(client: TestClient) -> None:
    assert statuses(client, "/items", 6) == [200] * 5 + [429]
    assert statuses(client, "/items/pear", 1) == [200]


def test_a_limit_by_address_whatever_the_key(client: TestClient) -> None:
    answers = [client.post("/login", headers={"x-api-key": str(at)}) for at in range(3)]
    assert [it.status_code for it in answers] == [200, 200, 429]
    assert answers[-1].json() == {"error": "slow down: later, please"}


def test_plans(client: TestClient) -> None:
    assert statuses(client, "/search", 3) == [200, 200, 429]
    assert statuses(client, "/search", 1, **{"api-key": "free-1"}) == [200]
    assert statuses(client, "/search", 4, **{"api-key": "pro-1"}) == [200] * 4


def test_a_cost(client: TestClient) -> None:
    assert statuses(client, "/export", 3) == [200, 200, 429]


def test_a_shared_limit(client: TestClient) -> None:
    assert statuses(client, "/reports/daily", 2) == [200, 200]
    assert statuses(client, "/reports/weekly", 2) == [200, 429]


def test_methods_and_who_is_exempt(client: TestClient) -> None:
    assert statuses(client, "/orders", 3) == [200] * 3
    assert [client.post("/orders").status_code for _ in range(2)] == [200, 429]
    assert client.post("/orders", headers={"x-staff": "yes"}).status_code == 200


def test_an_exempt_route(client: TestClient) -> None:
    assert statuses(client, "/healthz", 9) == [200] * 9


def test_fields(client: TestClient) -> None:
    assert client.get("/items").headers["x-ratelimit-remaining"] == "4"
    assert client.get("/both").headers["x-ratelimit-limit"] == "2"
    assert statuses(client, "/both", 1) == [200]
    refused = client.get("/both")
    assert refused.status_code == 429
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert 1 <= int(refused.headers["retry-after"]) <= 60


# --- what differs, as docs/apps/from-slowapi.md says


def test_paths_of_one_route() -> None:
    """Counted apart by slowapi, and together by a Limiter of ours."""
    paths = [f"/items/{at}" for at in range(6)]
    asked = {name: TestClient(app) for name, app in APPS.items()}
    for name in ("before", "between"):
        assert [asked[name].get(path).status_code for path in paths] == [200] * 6
    assert [asked["after"].get(path).status_code for path in paths] == [200] * 5 + [429]


def test_a_limit_by_a_function_and_the_defaults() -> None:
    """Both apply in slowapi; here the function's stands in for them."""
    passed = {
        name: statuses(TestClient(app), "/search", 10, **{"api-key": "pro-1"}).count(200)
        for name, app in APPS.items()
    }
    assert passed == {"before": 5, "between": 5, "after": 9}


def test_the_next_one_after_a_refusal(sidegate: Memory) -> None:
    """A bucket of 2 a minute has one more after 30 seconds, where a window of 2 has none."""
    client = TestClient(after.app)
    assert statuses(client, "/both", 3) == [200, 200, 429]
    sidegate.advance(30)
    assert statuses(client, "/both", 2) == [200, 429]
