"""Whoever is let in by a credential was counted by it, however it was spelled."""

from collections.abc import Generator, Iterable, Iterator
from itertools import count, product
from typing import Final

import pytest

from tests.cluster.spelling.credentials.disguises import of_scheme, plain
from tests.cluster.spelling.credentials.keyed import SPENT_BY
from tests.cluster.spelling.credentials.readers import ASGI_WAYS, WSGI_WAYS
from tests.cluster.spelling.frameworks.views import PICK
from tests.cluster.spelling.raw import ask, ask_all
from tests.cluster.spelling.serving.servers import ASGI, FOLDER, WSGI, serving
from tests.cluster.spelling.spellings import request
from tests.support.processes.services import App, Sidecar, running

ASGI_SERVERS: Final = ("uvicorn-h11", "hypercorn", "daphne")
WSGI_SERVERS: Final = ("gunicorn-sync", "waitress", "wsgiref")
CELLS: Final = [*product(ASGI_SERVERS, ASGI_WAYS), *product(WSGI_SERVERS, WSGI_WAYS)]


@pytest.fixture(scope="module")
def knowing(sidecar: Sidecar) -> Generator[dict[str, App]]:
    """Serve the apps that know credentials, by the names of their servers."""
    asgi = {name: ASGI[name] for name in ASGI_SERVERS}
    wsgi = {name: WSGI[name] for name in WSGI_SERVERS}
    apps = serving(asgi, f"{FOLDER}.credentials.asgi_apps:app", sidecar)
    apps |= serving(wsgi, f"{FOLDER}.credentials.wsgi_apps:app", sidecar)
    with running(*apps.values()):
        yield apps


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return count(100)


class Caller:
    """Asks an app, each time from another address."""

    def __init__(self, app: App, way: str, numbers: Iterator[int]) -> None:
        self.port = app.http.number
        self._way = way
        self._numbers = numbers

    def request(self, lines: Iterable[str]) -> bytes:
        """Return a request with these header lines."""
        number = next(self._numbers)
        address = f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1"
        fields = (f"{PICK}: {self._way}", f"X-Forwarded-For: {address}")
        return request("GET / HTTP/1.1", *fields, *lines)


@pytest.mark.parametrize(("server", "way"), CELLS)
def test_a_spent_credential_is_spent(
    knowing: dict[str, App], numbers: Iterator[int], server: str, way: str
) -> None:
    """Once its limit is spent, nobody is let in by a credential, from no address at all."""
    caller = Caller(knowing[server], way, numbers)
    for scheme in _schemes(way):
        good = f"good-{next(numbers)}"
        line = plain(scheme, good)
        spent = [ask(caller.port, caller.request([line])).status for _ in range(SPENT_BY + 1)]
        assert spent == [200] * SPENT_BY + [429]
        junks = (f"junk-{number}" for number in numbers)
        tried = of_scheme(scheme, good, junks)
        answers = ask_all(caller.port, [caller.request(lines) for lines in tried])
        let_in = [it[0] for it in zip(tried, answers, strict=True) if it[1].status == 200]
        assert not let_in, "\n".join(map(repr, let_in))


def _schemes(way: str) -> tuple[str, ...]:
    scheme = way.split()[1]
    return ("bearer", "jwt") if scheme == "bearer" else (scheme,)
