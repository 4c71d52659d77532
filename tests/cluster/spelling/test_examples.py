"""The examples as they stand: no spelling of a request gets past their limits."""

import time
from collections.abc import Generator
from itertools import product
from typing import Final

import pytest

from tests.cluster.spelling.raw import ask, ask_all
from tests.cluster.spelling.serving.servers import ASGI, WSGI, serving
from tests.cluster.spelling.spellings import LINE, request, request_lines
from tests.support.processes.services import App, Sidecar, running

LOGINS: Final = 5  # a minute, as the examples have it
REFILL: Final = 60 / LOGINS  # seconds until another one is allowed
GUESSED: Final = {"fastapi": 200, "flask": 401}  # what a login answers that is counted
API_RULE: Final = {"fastapi": "api", "flask": "hello"}
APPLICATION: Final = "default:127.0.0.1"
CELLS: Final = [*product(["fastapi"], ASGI), *product(["flask"], WSGI)]
each_cell = pytest.mark.parametrize(("example", "server"), CELLS)
Examples = dict[tuple[str, str], "App"]


@pytest.fixture(scope="module")
def examples(sidecar: Sidecar) -> Generator[Examples]:
    """Serve the examples, by their names and those of the servers."""
    fastapi = serving(ASGI, "examples.fastapi_app:app", sidecar)
    flask = serving(WSGI, "examples.flask_app:app", sidecar)
    apps = {("fastapi", server): app for server, app in fastapi.items()}
    apps |= {("flask", server): app for server, app in flask.items()}
    for servers, target in ((ASGI, "asgi"), (WSGI, "wsgi")):
        django = serving(servers, f"examples.django_app:{target}", sidecar, "/")
        apps |= {("django", server): app for server, app in django.items()}
    with running(*apps.values()):
        yield apps


@each_cell
def test_guessing_passwords(
    examples: Examples, sidecar: Sidecar, example: str, server: str
) -> None:
    """Of all spellings of POST /login together as many are served as the limit allows."""
    port, guessed = examples[example, server].http.number, GUESSED[example]
    for key in (f"shop/examples.{example}_app.login:127.0.0.1", f"shop/{APPLICATION}"):
        sidecar.reset(key)
    began = time.monotonic()
    plain = request(LINE.format(method="POST", target="/login"))
    assert [ask(port, plain).status for _ in range(LOGINS)] == [guessed] * LOGINS
    lines = request_lines("POST", "/login")
    answers = ask_all(port, [request(line) for line in lines])
    served = [it[0] for it in zip(lines, answers, strict=True) if it[1].status == guessed]
    assert len(served) <= (time.monotonic() - began) / REFILL, served


@each_cell
def test_an_api_key(examples: Examples, sidecar: Sidecar, example: str, server: str) -> None:
    """What answers is counted by the key's rule, however it was asked for."""
    port = examples[example, server].http.number
    sidecar.reset(f"shop/{APPLICATION}")
    lines = request_lines("GET", "/api/hello")
    asked = [request(line, f"x-api-key: {server} {number}") for number, line in enumerate(lines)]
    answers = ask_all(port, asked)
    served = [it for it in zip(lines, answers, strict=True) if it[1].status == 200]
    assert LINE.format(method="GET", target="/api/hello") in dict(served)
    assert [line for line, answer in served if API_RULE[example] not in answer.rules] == []


@pytest.mark.parametrize("server", [*ASGI, *WSGI])
def test_all_that_there_is(examples: Examples, sidecar: Sidecar, server: str) -> None:
    """A limit for everything counts whatever is answered."""
    for key in (APPLICATION, "examples.django_app.hello:127.0.0.1"):
        sidecar.reset(key)
    lines = request_lines("GET", "/")
    answers = ask_all(examples["django", server].http.number, [request(line) for line in lines])
    served = [it for it in zip(lines, answers, strict=True) if it[1].status == 200]
    assert served
    assert [line for line, answer in served if answer.rule != "default"] == []
