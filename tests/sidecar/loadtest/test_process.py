"""`sidegate load` as its user runs it, against servers that keep their word and some that don't."""

import asyncio
import json
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from sidegate_sidecar.loadtest.judge.report import LoadReport
from tests.sidecar.loadtest.servers import LIMIT, Held, Stalling, lying, says, truthful
from tests.support.in_process.cluster import cluster, eventually
from tests.support.processes.commands import finish, start

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

    async def __call__(self, url: str, *options: str) -> tuple[int | None, LoadReport]:
        """Run it to its end."""
        path = self.folder / "report.json"
        process = await start("-m", "sidegate_sidecar", "load", url, "--json", str(path), *options)
        code, self.out, err = await finish(process)
        assert err == "", err
        return code, msgspec.json.decode(path.read_bytes(), type=LoadReport)

    async def limited(
        self, url: str, *options: str, limit: str = LIMIT
    ) -> tuple[int | None, LoadReport]:
        """Run it with three times what the limit of one key allows."""
        more = ("--rate", "15", "--seconds", "2", "--limit", limit)
        return await self(url, "--key-header", "x-api-key", *more, *options)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return Load(tmp_path)


def broken(report: LoadReport) -> list[str]:
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
        (says(302), ["each request is answered"]),
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


async def test_a_starved_key_fails(load: Load) -> None:
    """One of 20; all others get what they may."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=429 if request.headers["x-api-key"].endswith("-7") else 200)

    async with lying(answer) as url:
        code, report = await load.limited(url, "--keys", "20", "--rate", "60", "--limit", "9/m")
    assert (code, broken(report)) == (1, ["admits what the limit allows"])
    assert "one key" in load.out


async def test_a_service_without_a_limiter_is_warned_of_where_no_limit_was_reached(
    load: Load,
) -> None:
    """It passes, since nothing was broken; all three reports say what that is worth."""
    html = load.folder / "report.html"
    async with lying(says(200)) as url:
        code, report = await load.limited(url, "--limit", "900/second", "--html", str(html))
    assert code == 0
    assert sum(warning.startswith("requests: ") for warning in report.warnings) == 2
    for text in (load.out, html.read_text()):
        assert "requests: the limit was never reached: this proves nothing of it" in text
        assert "requests: no answer names a source" in text


async def test_a_password_is_sent_and_shown_nowhere(load: Load) -> None:
    """Also where an answer makes no sense, or nobody is there."""
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("authorization"))
        if len(seen) == 2:
            assert request.transport
            request.transport.write(b"nonsense\r\n\r\n")
            request.transport.close()
        return web.Response()

    html = load.folder / "report.html"
    async with lying(answer) as url:
        place = url.replace("//", "//me:secret@")
        _, report = await load(place, "--rate", "5", "--seconds", "1", "--html", str(html))
    assert set(seen) == {"Basic bWU6c2VjcmV0"}  # me:secret
    assert sum(report.errors.values()) == 1
    for text in (load.out, html.read_text(), (load.folder / "report.json").read_text()):
        assert url in text
        assert "secret" not in text
    code, _, err = await finish(await start("-m", "sidegate_sidecar", "load", place))
    assert code == 3
    assert "secret" not in err


async def limited_to(files: str, *arguments: str) -> tuple[int | None, str, str]:
    """Run it where a process may have so many open files, in the words of ulimit."""
    command = f'ulimit {files} && exec "$0" -m sidegate_sidecar load "$@"'
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", command, sys.executable, *arguments), stdout=PIPE, stderr=PIPE
    )
    return await finish(process)


async def test_more_connections_than_a_process_may_have_are_refused() -> None:
    """Before anything is sent, with what would do."""
    code, out, err = await limited_to("-n 200", "http://127.0.0.1:1")
    assert (code, out) == (2, "")
    assert err == (
        "sidegate: --max-in-flight '1000': expected at most 136, as long as a process may have"
        " 200 open files here (ulimit -n)\n"
    )


async def test_open_files_are_allowed_as_far_as_the_system_does() -> None:
    """More than 100 requests under way, though a process is given 100 files to begin with."""
    held = Held()
    async with lying(held.answer) as url:
        options = ("--rate", "150", "--seconds", "1", "--timeout", "30")
        running = asyncio.create_task(limited_to("-Sn 100", url, *options))
        await eventually(lambda: held.asked == 150)
        held.go.set()
        code, out, err = await running
    assert (code, err) == (0, ""), out


async def test_errors_may_be_tolerated(load: Load) -> None:
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
    limit = "20/hour"  # of a fast one, how many pass goes by when a busy machine asks
    async with cluster("n1") as (sidecar,), truthful(sidecar, limit) as url:
        options = ("--crashes", str(path), "--seconds", "4")
        running = asyncio.create_task(load.limited(f"{url}/limited", *options, limit=limit))
        await eventually(lambda: sidecar.node.counts.checks.total() > 5)
        path.write_text(json.dumps({"time": time.time(), "node": "n1", "event": "kill"}) + "\n")
        await sidecar.stop()
        code, explained = await running
        assert (code, broken(explained)) == (0, [])
        assert "killed: n1 at" in load.out
        code, unexplained = await load.limited(f"{url}/limited", limit=limit)
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
        process = await start("-m", "sidegate_sidecar", "load", url, "--seconds", "3600")
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
        "-m", "sidegate_sidecar", "load", "http://127.0.0.1:1", "--crashes", str(path)
    )
    code, out, err = await finish(process)
    assert (code, out) == (2, "")
    assert err.startswith(f"sidegate: --crashes '{path}': line 1 'killed n1': ")
