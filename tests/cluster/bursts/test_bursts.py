"""Bursts: of many checks at the same moment exactly the limit passes, on busy cores too.

Waiting for the CPU, for gevent's hub or for one's turn is no fault of the sidecar: nobody is let
through for it.
"""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from typing import Final

import pytest

from sidegate.buckets.decision import Source
from sidegate.client.blocking import BlockingClient
from tests.cluster.bursts.burst import PROCESSES, WAVES
from tests.cluster.bursts.crowd import crowd
from tests.support.processes.hogs import hogs
from tests.support.processes.services import GUNICORN, PATIENCE, ROOT, App, Sidecar, running, until

AT_ONCE: Final = (50, 200, 500, 3_000)
KINDS: Final = {
    "threads": ("burst", WAVES, 20 * WAVES),
    "greenlets": ("greenlets", WAVES, 20 * WAVES),
    "forks": ("burst", PROCESSES, 20),  # with the client in them: 20 in all
}
CORES: Final = min(os.cpu_count() or 1, 4)
ONE_WORKER: Final = [part for part in GUNICORN if not part.startswith("--workers")]
SERVED: Final = (*ONE_WORKER, "--backlog=4096", "--worker-connections=4000")
SERVERS: Final = {
    "gthread": ("--worker-class=gthread", "--threads=100"),
    "gevent": ("--worker-class=gevent",),
}
APP: Final = "tests.cluster.bursts.flask_app:app"


@pytest.fixture(params=[False, True], ids=["calm", "busy"])
def machine(request: pytest.FixtureRequest) -> Generator[None]:
    """Keep no core busy, or all (on a large machine four, beside which nothing is short)."""
    with hogs(CORES if request.param else 0):
        yield


def burst(module: str, *arguments: str) -> list[str]:
    """Run a burst in a process of its own; return what each wave let pass."""
    command = [sys.executable, "-m", f"tests.cluster.bursts.{module}", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr  # neither an outage nor an overload
    return done.stdout.splitlines()


def passed(lines: list[str]) -> Counter[str]:
    """Return how many checks passed, by who decided."""
    tally: Counter[str] = Counter()
    for word in " ".join(lines).split():
        source, _, number = word.partition("=")
        tally[source] += int(number)
    return +tally


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("at_once", AT_ONCE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_client(sidecar: Sidecar, key: str, kind: str, at_once: int) -> None:
    """From threads, greenlets and forks: the sidecar decides all that pass, and 20 do."""
    module, lines_of_it, admitted = KINDS[kind]
    lines = burst(module, kind, str(sidecar.link), str(at_once), key)
    assert passed(lines) == {"owner": admitted}
    assert len(lines) == lines_of_it


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
