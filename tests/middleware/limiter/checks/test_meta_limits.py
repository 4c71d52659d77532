"""Meta limits: who is refused too often is refused everything, until time gives a token back."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from sidegate import Limiter
from sidegate.limiter.checks.asking import enforce_blocking
from sidegate.limiter.checks.current import Current
from sidegate.limiter.limiter import core_of
from sidegate.limiter.limits.applied import route_of
from sidegate.limiter.limits.marks import marks_of
from sidegate.testing import Memory
from sidegate.wsgi import EnvironRequest
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import AMPLE


def user(request: Any) -> str | None:
    """Return whose request it is."""
    return request.headers.get("x-user") or None


def made(limits: str | None = None, **options: Any) -> Callable[..., int]:
    """Return what asks an app for a path as a user, and gives the status."""
    given: dict[str, Any] = {"key": user, "meta_limits": "3/hour", **options}
    limiter = Limiter(limits, **given)
    app = FastAPI()
    app.add_middleware(limiter.asgi)
    app.get("/twice")(limiter.limit("2/day")(lambda: None))
    app.get("/plain")(lambda: None)
    app.get("/exempt")(limiter.exempt(lambda: None))
    app.get("/dep", dependencies=[Depends(limiter.dep("2/day"))])(lambda: None)

    def ask(path: str, name: str = "ann") -> int:
        with TestClient(app) as client:
            return client.get(path, headers={"x-user": name}).status_code

    return ask


def times(ask: Callable[..., int], path: str, count: int) -> list[int]:
    return [ask(path) for _ in range(count)]


@pytest.mark.parametrize("path", ["/twice", "/dep"])
def test_each_refusal_is_charged_and_the_last_ends_all(sidegate: Memory, path: str) -> None:
    ask = made()
    assert times(ask, path, 4) == [200, 200, 429, 429]
    assert sidegate.spent("meta:ann") == {"3/hour": 2}
    assert ask("/plain") == 200
    assert times(ask, path, 1) == [429]
    assert times(ask, "/plain", 2) == [429, 429]
    assert ask("/nowhere") == 429
    assert sidegate.spent("meta:ann") == {"3/hour": 3}
    assert ask("/exempt") == 200
    assert ask("/plain", "bob") == 200
    sidegate.advance(1200)
    assert ask("/plain") == 200


def test_a_refusal_by_default_limits_counts_too(sidegate: Memory) -> None:
    ask = made(default_limits="1/day", service="shop")
    assert times(ask, "/plain", 3) == [200, 429, 429]
    assert sidegate.spent("shop/meta:ann") == {"3/hour": 2}


def test_a_refusal_by_the_application_does_not_count(sidegate: Memory) -> None:
    """It refuses everything already."""
    ask = made("1/day")
    assert times(ask, "/plain", 3) == [200, 429, 429]
    assert sidegate.spent("meta:ann") == {}


def test_what_the_meta_limits_refuse_costs_nothing(sidegate: Memory) -> None:
    ask = made("9/day", default_limits="1/day")
    assert times(ask, "/plain", 5) == [200, 429, 429, 429, 429]
    assert times(ask, "/twice", 3) == [429] * 3
    assert sidegate.spent("default:ann") == {"9/day": 1}
    assert len({*sidegate.keys()} - {"default:ann", "meta:ann"}) == 1  # that of /plain
    assert sidegate.spent("meta:ann") == {"3/hour": 3}


def test_the_refusal_names_the_meta_limit(sidegate: Memory) -> None:
    limiter = Limiter(default_limits="1/day", meta_limits="1/hour")
    app = FastAPI()
    app.add_middleware(limiter.asgi)
    app.get("/")(lambda: None)
    with TestClient(app) as client:
        _, _, refused = (client.get("/") for _ in range(3))
    assert refused.json()["violated-policies"] == ["meta"]
    assert refused.headers["retry-after"] == "3600"
    assert len(sidegate.keys()) == 2


def test_who_has_no_key_is_not_counted(sidegate: Memory) -> None:
    ask = made()
    assert [ask("/twice", "") for _ in range(9)] == [200] * 9
    assert sidegate.keys() == []


def test_shadow_refuses_nothing_and_counts_nothing(sidegate: Memory) -> None:
    ask = made(default_limits="1/day", shadow=True)
    assert times(ask, "/plain", 3) == [200] * 3
    assert sidegate.spent("meta:ann") == {}


def test_a_flood_of_refusals_stops_asking(sidecar: SidecarDouble) -> None:
    """Each is charged until nothing is left, and then denials are remembered."""
    limiter = Limiter(
        default_limits="1/day", meta_limits="3/day", sidecar=sidecar.address, budget=AMPLE
    )
    app = FastAPI()
    app.add_middleware(limiter.asgi)
    app.get("/")(lambda: None)
    with TestClient(app) as client:
        got = [client.get("/").status_code for _ in range(30)]
        assert got == [200] + [429] * 29
        charges = [
            it for frame in sidecar.frames for it in frame.checks if it[0].startswith("meta")
        ]
        assert 3 <= sum(cost for _, _, cost in charges) < 29


def test_without_a_sidecar_nobody_is_counted() -> None:
    ask = made(default_limits="1/day", sidecar="127.0.0.1:1", on_unreachable="closed")
    assert times(ask, "/plain", 5) == [503] * 5


def test_in_threads_too(sidegate: Memory) -> None:
    limiter = Limiter(meta_limits="2/hour", service="shop")
    view = limiter.limit("1/day")(made)
    core = core_of(limiter)
    limits = core.enforcer.limits(route_of(view), "GET", marks_of(view, limiter))

    def refused() -> bool:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "REMOTE_ADDR": "192.0.2.1"}
        current = Current(limiter, EnvironRequest(environ, core.settings.proxies))
        checked = enforce_blocking(core.enforcer, core.clients.threads, current, limits)
        return checked.verdict is not None

    assert [refused() for _ in range(4)] == [False, True, True, True]
    assert sidegate.spent("shop/meta:192.0.2.1") == {"2/hour": 2}
    sidegate.fill(limiter.key("192.0.2.1", view))
    assert refused()
    assert sidegate.spent(limiter.key("192.0.2.1", view)) == {}
    limiter.reset_blocking("192.0.2.1", scope="meta")
    assert not refused()


@pytest.mark.parametrize("limits", ["3/hours ago", 7, user])
def test_what_are_no_limits_is_an_error(limits: Any) -> None:
    with pytest.raises(ValueError, match=r"^meta_limits"):
        Limiter(meta_limits=limits)
