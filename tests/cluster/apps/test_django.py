"""LimiterMiddleware on gunicorn and on uvicorn, with a real sidecar: all count in it."""

from collections.abc import Generator
from dataclasses import dataclass

import pytest

from tests.support.apps.clients import ask_anew, statuses
from tests.support.processes.services import THREADS, UVICORN, App, Sidecar, running

MODULE = "tests.support.apps.django_limits_app"


@dataclass(frozen=True)
class Served:
    """How the project is served."""

    name: str
    command: tuple[str, ...]


SERVERS = [
    Served("django_limits_gunicorn", (*THREADS, f"{MODULE}:wsgi")),
    Served("django_limits_uvicorn", (*UVICORN, f"{MODULE}:asgi")),
]


@pytest.fixture(scope="module", params=SERVERS, ids=lambda it: it.name)
def app(request: pytest.FixtureRequest, sidecar: Sidecar) -> Generator[App]:
    assert isinstance(request.param, Served)
    app = App(request.param.name, sidecar, *request.param.command)
    with running(app):
        yield app


@pytest.mark.parametrize("path", ["/", "/later"])
def test_all_workers_count_in_the_sidecar(
    app: App, sidecar: Sidecar, address: str, path: str
) -> None:
    """Sync and async views have their routes' limits beside the application's."""
    answers = ask_anew(app.url, path, 5, x_forwarded_for=address)
    assert statuses(answers) == [200] * 3 + [429] * 2
    assert answers[4].headers["content-type"] == "application/problem+json"
    assert 0 < int(answers[4].headers["retry-after"]) <= 1200
    assert [it["remaining"] for it in sidecar.buckets(f"shop/default:{address}")] == [47]


@pytest.mark.parametrize("path", ["/users", "/searched"])
def test_users_are_keys(app: App, key: str, address: str, path: str) -> None:
    """Also in a loop, where nobody may ask a database."""
    user = str(abs(hash(key)) % 10**9)
    answers = ask_anew(app.url, path, 3, x_forwarded_for=address, x_user=user)
    assert statuses(answers) == [200, 200, 429]


def test_what_is_not_found_counts_for_the_application(
    app: App, sidecar: Sidecar, address: str
) -> None:
    answers = ask_anew(app.url, "/nowhere", 2, x_forwarded_for=address)
    assert statuses(answers) == [404, 404]
    assert [it["remaining"] for it in sidecar.buckets(f"shop/default:{address}")] == [48]
