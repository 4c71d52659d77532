"""`headgate load` as its user runs it, against servers that keep their word and some that don't."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiohttp import web

from headgate_sidecar.load.report import Report
from tests.cluster.cluster import cluster, eventually
from tests.sidecar.load.servers import LIMIT, Stalling, lying, says, truthful
from tests.sidecar.test_cli_process import finish, start

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

SCENARIO = f"""
seconds = 3
baseline = "free"

[[stream]]
name = "free"
path = "/free"
rate = 20
expect = "allowed"

[[stream]]
name = "below"
path = "/limited"
rate = 20
keys = 10
limit = "{LIMIT}"
expect = "allowed"

[[stream]]
name = "above"
path = "/limited"
rate = 40
keys = 2
limit = "{LIMIT}"
expect = "limited"
"""


class Load:
    """Runs the command; its report is in files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = ""

    async def __call__(self, url: str, *options: str) -> tuple[int | None, Report]:
        """Run it to its end."""
        path = self.folder / "report.json"
        process = await start("-m", "headgate_sidecar", "load", url, "--json", str(path), *options)
        code, self.out, err = await finish(process)
        assert err == "", err
        return code, msgspec.json.decode(path.read_bytes(), type=Report)

    async def limited(self, url: str, *options: str) -> tuple[int | None, Report]:
        """Run it with three times what the limit of one key allows."""
        more = ("--rate", "15", "--seconds", "2", "--limit", LIMIT)
        return await self(url, "--key-header", "x-api-key", *more, *options)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return Load(tmp_path)


def broken(report: Report) -> list[str]:
    return [promise.text for promise in report.promises if not promise.kept]


def scenario(load: Load) -> str:
    path = load.folder / "mine.toml"
    path.write_text(SCENARIO)
    return str(path)


async def test_a_limiter_that_keeps_its_word_passes(load: Load) -> None:
    """Twice in a row: each run has its own keys. And the page is written too."""
    html = load.folder / "report.html"
    async with cluster("n1") as (sidecar,), truthful(sidecar) as url:
        command = (url, "--scenario", scenario(load), "--html", str(html))
        code, report = await load(*command)
        assert (code, broken(report)) == (0, [])
        code, report = await load(*command)
        assert (code, broken(report)) == (0, [])
    free, below, above = report.streams
    assert (free.requests, below.requests, above.requests) == (60, 60, 120)
    assert free.sources == {"none": 60}
    assert below.sources == {"owner": 60}
    assert above.sources.keys() == {"owner", "remembered"}
    assert above.allowance
    assert above.allowance.least <= above.admitted <= above.allowance.most < above.requests
    assert report.added_ms
    assert sum(second.admitted + second.denied for second in report.series) == 240
    assert "PASSED" in load.out
    assert "PASSED" in html.read_text()


@pytest.mark.parametrize(
    ("answer", "promises"),
    [
        (says(200), ["admits no more than the limit"]),
        (says(429), ["admits what the limit allows"]),
        (says(500), ["each request is answered"]),
        (says(404), ["each request is answered"]),
    ],
)
async def test_a_server_that_does_not_fails(
    load: Load, answer: Callable[[web.Request], Awaitable[web.Response]], promises: list[str]
) -> None:
    """One that admits all, none, or has only errors: exit code 1, and the promise is named."""
    async with lying(answer) as url:
        code, report = await load.limited(url)
    assert (code, broken(report)) == (1, promises)
    assert f"BROKEN  {'' if 'request' in promises[0] else 'requests: '}{promises[0]}" in load.out


async def test_a_denial_below_the_limit_fails(load: Load) -> None:
    """One of 30 is enough."""
    count = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.Response(status=429 if count == 20 else 200)

    async with lying(answer) as url:
        code, report = await load.limited(url, "--limit", "60/second", "--expect", "allowed")
    assert (code, broken(report)) == (1, ["nothing is denied"])


async def test_errors_may_be_tolerated(load: Load) -> None:
    """Up to a number."""
    async with lying(says(500)) as url:
        code, report = await load(url, "--rate", "10", "--seconds", "1", "--tolerate-errors", "10")
    assert (code, report.errors) == (0, {"status 500": 10})


async def test_a_stall_shows_in_all_that_was_planned_meanwhile(load: Load) -> None:
    """A closed loop would have sent nothing in that second, and seen one slow request."""
    async with lying(Stalling(after=0.5, seconds=1.0).answer) as url:
        code, report = await load(url, "--rate", "60", "--seconds", "3")
    (stream,) = report.streams
    assert (code, stream.requests, stream.admitted) == (0, 180, 180)
    assert stream.latency_ms
    assert stream.latency_ms.p99 > 900
    slow = [point.ms for point in stream.curve if point.percent == 75]
    assert slow[0] > 150  # a third of all waited, evenly from 0 to 1 s


async def test_answers_by_policy_need_a_crash_to_explain_them(load: Load) -> None:
    """The sidecar goes on the way: its app lets all through, and says so."""
    path = load.folder / "kills.jsonl"
    async with cluster("n1") as (sidecar,), truthful(sidecar) as url:
        running = asyncio.create_task(
            load.limited(f"{url}/limited", "--crashes", str(path), "--seconds", "4")
        )
        await eventually(lambda: sidecar.node.counts.checks.total() > 5)
        path.write_text(json.dumps({"time": time.time(), "node": "n1", "event": "kill"}) + "\n")
        await sidecar.stop()
        code, explained = await running
        assert (code, broken(explained)) == (0, [])
        assert "killed: n1 at" in load.out
        code, unexplained = await load.limited(f"{url}/limited")
    assert [crash.node for crash in explained.crashes] == ["n1"]
    assert explained.streams[0].by_policy > 0
    assert (code, broken(unexplained)) == (1, ["nodes decide"])


async def test_it_ends_in_order_when_it_is_told_to() -> None:
    """It says what was until then, and that this was not all: exit code 1."""
    asked = Counter[str]()

    async def answer(request: web.Request) -> web.Response:
        asked[request.path] += 1
        return web.Response()

    async with lying(answer) as url:
        process = await start("-m", "headgate_sidecar", "load", url, "--seconds", "3600")
        await eventually(lambda: asked["/"] > 5)
        process.send_signal(signal.SIGINT)
        code, out, err = await finish(process)
    assert (code, err) == (1, "")
    assert "BROKEN  the generator sends all that is planned" in out
    assert "kept    each request is answered" in out


async def test_a_file_of_crashes_that_is_none_is_told(load: Load) -> None:
    """Before half a minute of load, not after it."""
    path = load.folder / "kills.jsonl"
    path.write_text("killed n1\n")
    process = await start(
        "-m", "headgate_sidecar", "load", "http://127.0.0.1:1", "--crashes", str(path)
    )
    code, out, err = await finish(process)
    assert (code, out) == (2, "")
    assert err.startswith(f"headgate: --crashes '{path}': line 1 'killed n1': ")
