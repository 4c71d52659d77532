"""Bursts: of many checks at the same moment exactly the limit passes, on busy cores too.

Waiting for the CPU, for gevent's hub or for one's turn is no fault of the sidecar: nobody is let
through for it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Final

import pytest

from sidegate.buckets.decision import Source
from sidegate.client.blocking import BlockingClient
from sidegate_sidecar.lab.processes import Child
from tests.cluster.bursts.burst import PROCESSES, WAVES
from tests.cluster.bursts.crowd import crowd
from tests.support.processes.services import GUNICORN, PATIENCE, ROOT, App, Sidecar, running, until

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

AT_ONCE: Final = (50, 200, 500, 3_000)
CORES: Final = min(os.cpu_count() or 1, 4)
ONE_WORKER: Final = [part for part in GUNICORN if not part.startswith("--workers")]
SERVED: Final = (*ONE_WORKER, "--backlog=4096", "--worker-connections=4000")
SERVERS: Final = {
    "gthread": ("--worker-class=gthread", "--threads=100"),
    "gevent": ("--worker-class=gevent",),
}
APP: Final = "tests.cluster.bursts.flask_app:app"


@pytest.fixture(scope="module")
def sidecar() -> Generator[Sidecar]:
    sidecar = Sidecar("a")
    with running(sidecar):
        yield sidecar


@pytest.fixture(scope="module")
def keys() -> Iterator[str]:
    return (f"burst {number}" for number in count())


@pytest.fixture
def key(keys: Iterator[str]) -> str:
    """Return a key that no other test spends."""
    return next(keys)


@pytest.fixture(params=[False, True], ids=["calm", "busy"])
def machine(request: pytest.FixtureRequest) -> Generator[None]:
    """Keep no core busy, or all (on a large machine four, beside which nothing is short)."""
    with hogs(CORES if request.param else 0):
        yield


@contextmanager
def hogs(number: int) -> Generator[None]:
    """Keep so many cores busy."""
    processes = [Child("hog", "tests.cluster.bursts.hog") for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()


def burst(module: str, *arguments: str) -> list[str]:
    """Run a burst in a process of its own; return what each wave let pass."""
    command = [sys.executable, "-m", f"tests.cluster.bursts.{module}", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr  # neither an outage nor an overload
    return done.stdout.splitlines()


def passed(lines: list[str]) -> dict[str, int]:
    """Return how many checks passed, by who decided."""
    tally: dict[str, int] = {}
    for word in " ".join(lines).split():
        source, _, number = word.partition("=")
        tally[source] = tally.get(source, 0) + int(number)
    return {source: number for source, number in tally.items() if number}


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("at_once", AT_ONCE)
class TestClients:
    def test_threads(self, sidecar: Sidecar, key: str, at_once: int) -> None:
        """From threads: the sidecar decides all that pass, and 20 do."""
        lines = burst("burst", "threads", str(sidecar.link), str(at_once), key)
        assert passed(lines) == {"owner": 20 * WAVES}
        assert len(lines) == WAVES

    def test_greenlets(self, sidecar: Sidecar, key: str, at_once: int) -> None:
        """From greenlets."""
        lines = burst("greenlets", "greenlets", str(sidecar.link), str(at_once), key)
        assert passed(lines) == {"owner": 20 * WAVES}
        assert len(lines) == WAVES

    def test_forks(self, sidecar: Sidecar, key: str, at_once: int) -> None:
        """From processes that were forked with the client in them: 20 in all."""
        lines = burst("burst", "forks", str(sidecar.link), str(at_once), key)
        assert passed(lines) == {"owner": 20}
        assert len(lines) == PROCESSES


@pytest.fixture(scope="module", params=SERVERS)
def app(request: pytest.FixtureRequest, sidecar: Sidecar) -> Generator[App]:
    app = App(request.param, sidecar, *SERVED, *SERVERS[request.param], APP)
    with running(app):
        yield app


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("at_once", AT_ONCE)
async def test_an_app(app: App, key: str, at_once: int) -> None:
    """Of so many requests to Flask on gunicorn 20 pass, and the sidecar decides all."""
    answers = await crowd(app.http.number, key, at_once)
    statuses = Counter(status for status, _ in answers.elements())
    assert statuses == {200: 20, 429: at_once - 20}
    assert {source for _, source in answers} <= {"", "remembered"}


def test_a_sidecar_that_hangs(sidecar: Sidecar) -> None:
    """That the cores are busy is no excuse for one that is stopped: the policy answers."""
    with hogs(CORES), BlockingClient(str(sidecar.link)) as client:
        until(lambda: client.check("k", "1000000/hour").source is Source.OWNER)
        sidecar.send(signal.SIGSTOP)
        try:
            sources = [client.check("k", "1000000/hour").source for _ in range(1_000)]
        finally:
            sidecar.send(signal.SIGCONT)
        until(lambda: client.check("k", "1000000/hour").source is Source.OWNER)
    assert set(sources) <= {Source.OPEN, Source.LOCAL}
    assert sources.count(Source.OPEN) > 900
