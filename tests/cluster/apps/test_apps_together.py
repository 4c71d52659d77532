"""Three FastAPI apps with a sidecar each, flooded over HTTP: together they admit one limit."""

import asyncio
from collections import Counter
from collections.abc import Generator

import httpx2
import pytest

from tests.support.apps.clients import async_client, current, show, statuses
from tests.support.processes.apps_trio import NAMES, Trio, api_key_of

EACH = 1_000  # requests at each app
CONNECTIONS = 8  # to each app, kept alive


@pytest.fixture(scope="module")
def trio() -> Generator[Trio]:
    trio = Trio()
    with trio.running():
        yield trio


async def flood(url: str, headers: dict[str, str]) -> list[httpx2.Response]:
    """Ask one app a thousand times, over all connections at once."""
    todo = iter(range(EACH))

    async def ask_on_one() -> list[httpx2.Response]:
        async with async_client(headers=headers) as client:
            return [await client.get(url) for _ in todo]

    parts = await asyncio.gather(*(ask_on_one() for _ in range(CONNECTIONS)))
    return [answer for part in parts for answer in part]


@pytest.mark.parametrize(
    ("path", "refill"),
    [
        pytest.param("/thousand", 3.6, id="1000_an_hour"),
        pytest.param("/thousand-a-day", 86.4, id="1000_a_day"),
    ],
)
async def test_three_apps_admit_a_thousand_of_three_thousand(
    trio: Trio, path: str, refill: float
) -> None:
    """Of 3,000 requests 1,000 pass, and one more for each `refill` seconds that they took."""
    clock = asyncio.get_running_loop().time
    rule = path.removeprefix("/").replace("-", " ")
    headers = {"x-api-key": api_key_of("b", rule, "k")}
    before = trio.metric("sidegate_checks_total", asker="app", source="owner", outcome="allowed")
    start = clock()
    by_app = await asyncio.gather(
        *(flood(f"{trio.apps[name].url}{path}", headers) for name in NAMES)
    )
    took = clock() - start
    answers = [answer for answers in by_app for answer in answers]
    counted = Counter(statuses(answers))
    admitted = [statuses(answers).count(200) for answers in by_app]
    show(f"{path}: {dict(counted)} in {took:.2f} s; admitted by app: {admitted}")
    assert counted.keys() == {200, 429}
    assert counted.total() == 3 * EACH
    assert 0 <= counted[200] - 1_000 <= took / refill
    allowed = [answer for answer in answers if answer.is_success]
    assert not any("sidegate-source" in answer.headers for answer in allowed)
    left = Counter(current(answer)[rule]["r"] for answer in allowed)
    assert left.keys() == set(range(1_000))
    after = trio.metric("sidegate_checks_total", asker="app", source="owner", outcome="allowed")
    assert after - before == counted[200]
