"""Throttles of Django REST framework on gunicorn, with a real sidecar: workers share limits."""

from collections.abc import Generator, Iterator

import pytest

from tests.support.apps.clients import ask_anew, statuses
from tests.support.apps.options import WORKER
from tests.support.processes.services import THREADS, App, Sidecar, running


@pytest.fixture(scope="module")
def app(sidecar: Sidecar) -> Generator[App]:
    app = App("drf_gunicorn", sidecar, *THREADS, "tests.support.apps.drf_app:wsgi")
    with running(app):
        yield app


def test_all_workers_count_in_the_sidecar(app: App, sidecar: Sidecar, address: str) -> None:
    """And what DRF says of a refusal is in its own form, with the time that is true."""
    answers = ask_anew(app.url, "/things", 5, x_forwarded_for=address)
    assert statuses(answers) == [200] * 3 + [429] * 2
    assert [WORKER in it.headers for it in answers] == [True] * 3 + [False] * 2
    for refused in answers[3:]:
        assert 0 < int(refused.headers["retry-after"]) <= 28_800
        assert refused.json()["detail"].startswith("Request was throttled. Expected available in")
    assert [it["remaining"] for it in sidecar.buckets(f"shop/anon:{address}")] == [0]


def test_users_count_by_their_primary_keys(
    app: App, sidecar: Sidecar, addresses: Iterator[str]
) -> None:
    """Also where addresses change; and all throttles of a view are asked, each by itself."""
    answers = [
        ask_anew(app.url, "/uploads", 1, x_user="7", x_forwarded_for=next(addresses))[0]
        for _ in range(6)
    ]
    assert statuses(answers) == [200] * 2 + [429] * 4
    assert [it["remaining"] for it in sidecar.buckets("shop/uploads:user=7")] == [0]
    assert [it["remaining"] for it in sidecar.buckets("shop/user:user=7")] == [0, 86]
