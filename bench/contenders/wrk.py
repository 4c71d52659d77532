"""wrk: a load of HTTP requests, and what it counted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.contenders.peers import program
from bench.lab.processes import output_of
from bench.results import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

CONNECTIONS: Final = 32
_UNITS: Final = {"us": 1.0, "ms": 1e3, "s": 1e6}


@dataclass(frozen=True, slots=True)
class Requests:
    """What one run of wrk came to. Latencies in microseconds."""

    rate: float
    p50: float
    p99: float
    requests: int
    refused: int  # answers other than 2xx and 3xx


async def wrk(url: str, seconds: int, *fields: str, script: Path | None = None) -> Requests:
    """Keep 32 connections busy for some whole seconds; header fields are sent as they are.

    A script in Lua may say what else is sent.
    """
    command = [program("wrk"), "-t2", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
    if script is not None:
        command += ["-s", str(script)]
    for field in fields:
        command += ["-H", field]
    command.append(url)
    printed = await output_of(command)
    if "Socket errors" in printed:
        raise UnavailableError(f"wrk saw socket errors: {printed}")
    return Requests(
        rate=float(_found(r"Requests/sec:\s+([\d.]+)", printed)),
        p50=_latency("50%", printed),
        p99=_latency("99%", printed),
        requests=int(_found(r"(\d+) requests in", printed)),
        refused=int(_found(r"Non-2xx or 3xx responses: (\d+)", printed, "0")),
    )


def _latency(share: str, printed: str) -> float:
    figure = _found(rf"{share}\s+([\d.]+[mu]?s)", printed)
    unit = figure.lstrip("0123456789.")
    return float(figure.removesuffix(unit)) * _UNITS[unit]


def _found(pattern: str, printed: str, default: str | None = None) -> str:
    match = re.search(pattern, printed)
    if match:
        return match[1]
    if default is None:
        raise UnavailableError(f"wrk printed no {pattern!r}: {printed}")
    return default
