"""What the forward-auth port answers in a second, beside a bare ASGI app on uvicorn."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.contenders.peers import program
from bench.contenders.wrk import CONNECTIONS, wrk
from bench.lab.processes import python
from bench.lab.serving import serving
from bench.lab.sidecars import sidecar
from bench.plan import OUT_OF_REACH, TINY, rotated
from bench.results import VoidError
from sidegate_sidecar.lab.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.plan import Plan
    from bench.results import Results

PART: Final = "auth"
SETTING: Final = f"wrk -t2 -c{CONNECTIONS}"
BARE: Final = "bare ASGI app on uvicorn"
ALLOWED: Final = "forward auth, allowed"
DENIED: Final = "forward auth, denied"
_NOTES: Final = {
    BARE: "answers 200, and reads nothing; uvloop, httptools, 1 worker, no access log",
    ALLOWED: "what nginx asks, by a rule for each client, decided by its owner; TCP",
    DENIED: "the same, refused",
}
_RULES: Final = f"""
version: 1
rules:
- {{name: denied, match: {{path: /denied}}, limits: {TINY}}}
- {{name: allowed, limits: {OUT_OF_REACH}}}
"""
_FIELDS: Final = ("X-Original-Method: GET", "X-Original-Host: a", "X-Forwarded-For: 192.0.2.1")


class Asked(NamedTuple):
    """A contender: where wrk asks, and about which path."""

    name: str
    url: str
    path: str


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Run wrk against all in turn, round by round."""
    program("wrk")
    rules = folder / "rules.yaml"
    rules.write_text(_RULES)
    (port,) = free_ports(1)
    async with AsyncExitStack() as stack:
        bare = await stack.enter_async_context(serving(folder, BARE, "-", on_uvicorn))
        auth = f"127.0.0.1:{port}"
        await stack.enter_async_context(sidecar(folder, "auth", auth=auth, rules=rules))
        ours = f"http://{auth}/v1/auth/nginx"
        contenders = [
            Asked(BARE, bare.url, "/allowed"),
            Asked(ALLOWED, ours, "/allowed"),
            Asked(DENIED, ours, "/denied"),
        ]
        results.notes.update(_NOTES)
        for it in contenders:
            await wrk(it.url, 1, *_fields(it))  # warm
        for round_ in range(plan.slices):
            for it in rotated(contenders, round_):
                tell(f"round {round_ + 1}: {it.name}")
                await _measure(it, results, round_)


async def _measure(asked: Asked, results: Results, round_: int) -> None:
    found = await wrk(asked.url, 1, *_fields(asked))
    if found.refused != (found.requests if asked.name == DENIED else 0):
        counted = f"{found.refused:,} of {found.requests:,} refused"
        raise VoidError(f"{asked.name} is not what it says: {counted}")
    results.add(PART, asked.name, SETTING, round_, rate=found.rate, p50=found.p50, p99=found.p99)


def _fields(asked: Asked) -> list[str]:
    return [*_FIELDS, f"X-Original-URI: {asked.path}"]


def on_uvicorn(variant: str, descriptor: int, store: str) -> list[str]:  # noqa: ARG001
    """Return the command that serves the bare app on a socket that listens."""
    options = ("--loop=uvloop", "--http=httptools", "--no-access-log", "--log-level=warning")
    return python("uvicorn", f"--fd={descriptor}", *options, "bench.fronts.bare_asgi:app")
