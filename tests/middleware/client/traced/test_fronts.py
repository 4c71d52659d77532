"""The middlewares and a Limiter trace by the same switch, in code and in the environment."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sidegate import Limiter
from sidegate.testing import isolated
from tests.support.middleware.asgi_app import App as AsgiApp
from tests.support.middleware.asgi_app import http, run
from tests.support.middleware.fronts import Asgi, Wsgi
from tests.support.middleware.wsgi_app import App as WsgiApp
from tests.support.middleware.wsgi_app import environ
from tests.support.telemetry import sdk


async def middleware(**options: Any) -> None:
    await Asgi(client=None, limits="5/hour", **options).ask()


async def wsgi_middleware(**options: Any) -> None:
    await Wsgi(client=None, limits="5/hour", **options).ask()


async def limiter(**options: Any) -> None:
    await run(Limiter("5/hour", **options).asgi(AsgiApp()), http())


async def wsgi_limiter(**options: Any) -> None:
    def start_response(*_: object) -> Callable[[bytes], object]:
        return len

    list(Limiter("5/hour", **options).wsgi(WsgiApp())(environ(), start_response))


@pytest.mark.parametrize("front", [middleware, wsgi_middleware, limiter, wsgi_limiter])
@pytest.mark.parametrize("by", ["code", "environment"])
async def test_a_request_has_a_span_of_its_check(
    front: Any, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, object] = {}
    if by == "code":
        options["otel"] = True
    else:
        monkeypatch.setenv("SIDEGATE_OTEL", "1")
    with isolated(), sdk().request() as request:
        await front(service=front.__name__, **options)
    (span,) = [it for it in sdk().ended() if it.parent == request.get_span_context()]
    attributes = dict(span.attributes or {})
    assert str(attributes["sidegate.rule"]).startswith(front.__name__)
    assert attributes["sidegate.remaining"] == 4
    assert "192.0.2.1" not in str(attributes)


def test_it_belongs_to_the_client_where_one_is_given() -> None:
    with pytest.raises(ValueError, match="otel= given with client=, which has its own"):
        Asgi(limits="5/hour", otel=True)


async def test_a_coroutine_that_asks_later_has_its_own_request() -> None:
    """Each check goes by the context of the task that makes it."""
    options = {"sidecar": "memory", "service": "tasks", "otel": True}
    limited = Asgi(client=None, limits="9/hour", **options)
    parents = set[int]()

    async def one() -> None:
        with sdk().request() as request:
            parents.add(request.get_span_context().span_id)
            await asyncio.sleep(0)
            await limited.ask()

    await asyncio.gather(*(one() for _ in range(3)))
    spans = sdk().spans("tasks/default")
    assert {it.parent.span_id for it in spans if it.parent is not None} == parents
