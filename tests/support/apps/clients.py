"""Clients for limited apps, and what the responses say."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import httpx2

from tests.support.apps.options import WORKER
from tests.support.middleware.checker import items

# Nobody speaks TLS here, and to load its certificates takes 60 ms for each client.
_PLAIN: Final[dict[str, Any]] = {"verify": False, "trust_env": False, "timeout": 60}


def client(url: str = "", headers: Mapping[str, str] | None = None) -> httpx2.Client:
    """Return a client for paths under a URL."""
    return httpx2.Client(base_url=url, headers=headers, **_PLAIN)


def async_client(
    url: str = "", headers: Mapping[str, str] | None = None, *, connections: int = 100
) -> httpx2.AsyncClient:
    """Return a client for asyncio, with so many connections at most."""
    limits = httpx2.Limits(max_connections=connections)
    return httpx2.AsyncClient(base_url=url, headers=headers, limits=limits, **_PLAIN)


def ask_anew(url: str, path: str, times: int, **headers: str) -> list[httpx2.Response]:
    """Ask by a new connection each time, so that any worker may answer.

    Of the names of header fields, `_` stands for `-`.
    """
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    answers: list[httpx2.Response] = []
    for _ in range(times):
        with client(url, fields) as fresh:
            answers.append(fresh.get(path))
    return answers


def show(text: str) -> None:
    """Print figures for people: pytest shows them with -s, or with -rP in the end."""
    print(text)  # noqa: T201 - that is what it is for


def statuses(answers: Iterable[httpx2.Response]) -> list[int]:
    """Return the status of each."""
    return [answer.status_code for answer in answers]


def policy(answer: httpx2.Response) -> dict[str, dict[str, int]]:
    """Return the parameters in `RateLimit-Policy` by the name of the limit."""
    return items(answer.headers["ratelimit-policy"])


def current(answer: httpx2.Response) -> dict[str, dict[str, int]]:
    """Return the parameters in `RateLimit` by the name of the limit."""
    return items(answer.headers["ratelimit"])


def assert_is_refusal(answer: httpx2.Response, *, violated: list[str], longest_wait: int) -> None:
    """Fail unless this is a whole refusal for lack of tokens, and the app never saw the request."""
    headers, problem = answer.headers, answer.json()
    wait = int(headers["retry-after"])
    assert answer.status_code == 429
    assert headers["content-type"] == "application/problem+json"
    assert headers["cache-control"] == "no-store"
    assert WORKER not in headers
    assert 0 < wait <= longest_wait
    assert policy(answer).keys() == current(answer).keys() >= set(violated)
    assert [current(answer)[name]["r"] for name in violated] == [0] * len(violated)
    assert max(current(answer)[name]["t"] for name in violated) == wait
    assert headers.get("sidegate-source", "remembered") == "remembered"
    assert problem["type"].endswith("#quota-exceeded")
    assert (problem["status"], problem["violated-policies"]) == (429, violated)
    assert problem["title"] == "Quota Exceeded"
    assert f"Retry in {wait} s." in problem["detail"]
