"""FastAPI, Flask and Django on real servers, asked by a real client: all are limited alike."""

import asyncio
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx2
import pytest

from tests.support.apps import clients as asking
from tests.support.apps.clients import assert_is_refusal, current, policy, statuses
from tests.support.apps.options import WORKER
from tests.support.processes.services import (
    GREENLETS,
    THREADS,
    UVICORN,
    App,
    Sidecar,
    running,
    until,
)


@dataclass(frozen=True)
class Server:
    """How an app is served."""

    name: str
    command: tuple[str, ...]
    workers: int = 1
    preloads: bool = False

    def __str__(self) -> str:
        return self.name


APPS = "tests.support.apps"
SERVERS = [
    Server("fastapi_uvicorn", (*UVICORN, f"{APPS}.fastapi_app:app")),
    Server("django_uvicorn", (*UVICORN, f"{APPS}.django_app:asgi")),
    Server("django_gunicorn_threads", (*THREADS, f"{APPS}.django_app:wsgi"), 2),
    Server("flask_gunicorn_preload", (*THREADS, "--preload", f"{APPS}.flask_app:app"), 2, True),
    Server("flask_gunicorn_gevent", (*GREENLETS, f"{APPS}.flask_app:app"), 2),
]


@pytest.fixture(scope="module", params=SERVERS, ids=str)
def server(request: pytest.FixtureRequest) -> Server:
    assert isinstance(request.param, Server)
    return request.param


@pytest.fixture(scope="module")
def app(server: Server, sidecar: Sidecar) -> Generator[App]:
    app = App(server.name, sidecar, *server.command)
    with running(app):
        yield app


@pytest.fixture
def by_key(key: str) -> dict[str, str]:
    """Return header fields with an API key that no other test has."""
    return {"x-api-key": key}


@pytest.fixture
def client(app: App, address: str) -> Generator[httpx2.Client]:
    """Stand behind the proxy that the app trusts, with one connection."""
    with asking.client(app.url, {"x-forwarded-for": address}) as client:
        yield client


def test_a_limit_lets_exactly_its_tokens_pass(client: httpx2.Client) -> None:
    """Of nine requests five pass, and all nine say truly what is left of 5/hour."""
    answers = [client.get("/some/path") for _ in range(9)]
    assert statuses(answers) == [200] * 5 + [429] * 4
    assert {str(policy(answer)) for answer in answers} == {"{'default': {'q': 5, 'w': 3600}}"}
    for left, answer in zip((4, 3, 2, 1, 0), answers, strict=False):
        said = current(answer)["default"]
        longest = 720 * ((5 - left) if left else 1)  # until it is full; if empty, until a token
        assert said["r"] == left
        assert longest - 720 < said["t"] <= longest
        assert answer.json() == {"path": "/some/path"}
        assert answer.headers[WORKER]
        assert "sidegate-source" not in answer.headers
        assert "retry-after" not in answer.headers
    for answer in answers[5:]:
        assert_is_refusal(answer, violated=["default"], longest_wait=720)


def test_a_head_request_counts_and_gets_fields_without_a_body(client: httpx2.Client) -> None:
    """HEAD spends the same tokens as GET, and a refused one ends where its headers end."""
    heads = [client.head("/") for _ in range(6)]
    get = client.get("/")  # on the same connection: a body sent before would break it
    assert statuses([*heads, get]) == [200] * 5 + [429] * 2
    assert [current(head)["default"]["r"] for head in heads] == [4, 3, 2, 1, 0, 0]
    assert [head.content for head in heads] == [b""] * 6
    assert int(heads[5].headers["content-length"]) == len(get.content)
    assert_is_refusal(get, violated=["default"], longest_wait=720)


def test_an_exempt_path_is_not_limited(client: httpx2.Client) -> None:
    """A path in `exempt` answers as often as it is asked, says nothing and costs nothing."""
    answers = [client.get("/healthz") for _ in range(9)]
    assert statuses(answers) == [200] * 9
    assert not any("ratelimit" in answer.headers for answer in answers)
    assert current(client.get("/"))["default"]["r"] == 4


def test_a_rule_by_path_and_method(client: httpx2.Client) -> None:
    """POST /login has its own limit, also with a body that nobody reads; GET /login has not."""
    body = b"x" * 50_000  # of a body that nobody reads gunicorn takes in 64 KiB, and then hangs up
    logins = [client.post("/login", content=body) for _ in range(5)]
    assert statuses(logins) == [200] * 3 + [429] * 2
    assert policy(logins[0]) == {"login": {"q": 3, "w": 3600}}
    assert_is_refusal(logins[4], violated=["login"], longest_wait=1200)
    looked = client.get("/login")
    assert (looked.status_code, current(looked)["default"]["r"]) == (200, 4)


def test_a_rule_by_header_with_two_limits(client: httpx2.Client, by_key: dict[str, str]) -> None:
    """Each API key has buckets of its own; both limits are told, and the one that refuses."""
    answers = [client.get("/api/things", headers=by_key) for _ in range(9)]
    assert statuses(answers) == [200] * 7 + [429] * 2
    assert policy(answers[0]) == {
        "api 7/hour": {"q": 7, "w": 3600},
        "api 90/day": {"q": 90, "w": 86400},
    }
    left = [[limit["r"] for limit in current(answer).values()] for answer in answers]
    assert left == [[6 - at, 89 - at] for at in range(7)] + [[0, 83]] * 2
    assert_is_refusal(answers[8], violated=["api 7/hour"], longest_wait=515)
    others = [
        client.get("/api/things", headers={"x-api-key": "other " + by_key["x-api-key"]}),
        client.get("/api/things"),  # without a key: by address
        client.get("/", headers=by_key),  # another rule
    ]
    assert statuses(others) == [200] * 3


def test_the_client_is_whom_the_trusted_proxy_names(
    client: httpx2.Client, address: str, addresses: Iterator[str], sidecar: Sidecar
) -> None:
    """With one trusted proxy the last address counts; what a client writes before it doesn't."""
    forged = [
        client.get("/", headers={"x-forwarded-for": f"203.0.113.{at}, {address}"})
        for at in range(3)
    ]
    in_two_lines = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", address)]
    del client.headers["x-forwarded-for"]
    forged += [client.get("/", headers=in_two_lines) for _ in range(3)]
    assert statuses(forged) == [200] * 5 + [429]
    assert client.get("/", headers={"x-forwarded-for": next(addresses)}).status_code == 200
    assert [it["remaining"] for it in sidecar.buckets(f"default:{address}")] == [0]


def test_without_a_proxy_the_client_is_the_peer(client: httpx2.Client, sidecar: Sidecar) -> None:
    """A request without X-Forwarded-For counts by the address that it comes from."""
    sidecar.reset("default:127.0.0.1")
    del client.headers["x-forwarded-for"]
    assert current(client.get("/"))["default"]["r"] == 4
    assert [it["remaining"] for it in sidecar.buckets("default:127.0.0.1")] == [4]


async def test_a_limit_holds_for_requests_at_once(app: App, by_key: dict[str, str]) -> None:
    """Of a hundred requests on sixteen connections exactly forty pass a limit of 40/day."""
    async with asking.async_client(app.url, by_key, connections=16) as client:
        answers = await asyncio.gather(*(client.get("/busy") for _ in range(100)))
    assert Counter(statuses(answers)) == {200: 40, 429: 60}
    allowed = [answer for answer in answers if answer.is_success]
    assert sorted(current(answer)["busy"]["r"] for answer in allowed) == list(range(40))


def test_a_limit_holds_over_all_workers(
    app: App, server: Server, sidecar: Sidecar, by_key: dict[str, str]
) -> None:
    """Asked in turn, all worker processes spend one bucket, token by token."""
    with ExitStack() as stack:
        clients: dict[str, httpx2.Client] = {}

        def have_one_for_each_worker() -> bool:
            client = stack.enter_context(asking.client(app.url, by_key))
            clients.setdefault(client.get("/healthz").headers[WORKER], client)
            return len(clients) == server.workers

        until(have_one_for_each_worker)
        answers = [client.get("/busy") for _ in range(30) for client in [*clients.values()] * 2]
    allowed, denied = answers[:40], answers[40:]
    assert statuses(answers) == [200] * 40 + [429] * (len(answers) - 40)
    assert [current(answer)["busy"]["r"] for answer in allowed] == list(range(39, -1, -1))
    assert {answer.headers[WORKER] for answer in allowed} == set(clients)
    assert_is_refusal(denied[-1], violated=["busy"], longest_wait=2160)
    if server.preloads:  # then the master process had used the client before it forked
        master = f"busy:x-api-key=imported by {app.pid}"
        assert [it["remaining"] for it in sidecar.buckets(master)] == [39]
