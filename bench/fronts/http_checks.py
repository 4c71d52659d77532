"""What `POST /v1/check` answers in a second, beside a bare ASGI app on uvicorn."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.contenders.peers import program
from bench.contenders.wrk import CONNECTIONS, wrk
from bench.fronts.forward_auth import on_uvicorn
from bench.lab.serving import serving
from bench.lab.sidecars import sidecar
from bench.plan import OUT_OF_REACH, TINY, rotated
from bench.results import VoidError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results

PART: Final = "http"
SETTING: Final = f"wrk -t2 -c{CONNECTIONS}"
BARE: Final = "bare ASGI app on uvicorn, POST"
ALLOWED: Final = "POST /v1/check, allowed"
DENIED: Final = "POST /v1/check, denied"
_NOTES: Final = {
    BARE: "answers 200 to the same requests, and reads nothing; uvloop, httptools, 1 worker",
    ALLOWED: "one key, decided by its owner, which is asked; no secret is set",
    DENIED: "the same, whose limit is spent",
}
_SCRIPT: Final = """
wrk.method = "POST"
wrk.body = '{{"key": "{key}", "limits": "{limits}"}}'
wrk.headers["Content-Type"] = "application/json"
"""


class Posted(NamedTuple):
    """A contender: where wrk posts, and what."""

    name: str
    url: str
    script: Path


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Run wrk against all in turn, round by round."""
    program("wrk")
    allowed, denied = (
        _script(folder, key, limits) for key, limits in (("a", OUT_OF_REACH), ("d", TINY))
    )
    async with AsyncExitStack() as stack:
        bare = await stack.enter_async_context(serving(folder, BARE, "-", on_uvicorn))
        ours = await stack.enter_async_context(sidecar(folder, "http"))
        check = f"http://{ours.http}/v1/check"
        contenders = [
            Posted(BARE, bare.url, allowed),
            Posted(ALLOWED, check, allowed),
            Posted(DENIED, check, denied),
        ]
        results.notes.update(_NOTES)
        for it in contenders:
            await wrk(it.url, 1, script=it.script)  # warm
        for round_ in range(plan.slices):
            for it in rotated(contenders, round_):
                tell(f"round {round_ + 1}: {it.name}")
                await _measure(it, results, round_)


async def _measure(posted: Posted, results: Results, round_: int) -> None:
    found = await wrk(posted.url, 1, script=posted.script)
    if found.refused:
        raise VoidError(f"{posted.name} is not what it says: {found.refused:,} errors")
    results.add(PART, posted.name, SETTING, round_, rate=found.rate, p50=found.p50, p99=found.p99)


def _script(folder: Path, key: str, limits: str) -> Path:
    file = folder / f"{key}.lua"
    file.write_text(_SCRIPT.format(key=key, limits=limits))
    return file
