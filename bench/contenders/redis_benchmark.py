"""redis-benchmark with the same script: Redis without what a client in Python costs."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

from bench.contenders.contender import Contender
from bench.contenders.peers import program
from bench.lab.load import Point
from bench.lab.processes import output_of
from bench.plan import KEYS

if TYPE_CHECKING:
    from bench.contenders.redis_server import RedisServer

PLAIN: Final = "redis-benchmark"
PIPELINED: Final = "redis-benchmark -P 32"
_FIRST_GUESS: Final = 10_000  # requests, a fraction of a second: how many the timed run will need


def redis_benchmark(server: RedisServer, *, pipelined: bool) -> Contender:
    """Return redis-benchmark, with one or with 32 requests per write and connection."""
    name = PIPELINED if pipelined else PLAIN
    pipeline = 32 if pipelined else 1
    note = (
        f"C client, EVALSHA of the same script, -c as many as in flight, -P {pipeline}, "
        f"-r {KEYS} random keys"
    )
    if pipelined:
        note += f": {pipeline} times as much in flight as the column says; latency is a batch's"

    async def measure(in_flight: int, seconds: float) -> Point:
        guess = await _run(server, pipeline, in_flight, _FIRST_GUESS)
        wanted = max(_FIRST_GUESS, int(guess.rate * seconds))
        return await _run(server, pipeline, in_flight, wanted)

    return Contender(name, note, measure)


async def _run(server: RedisServer, pipeline: int, connections: int, requests: int) -> Point:
    command = [program("redis-benchmark"), "-s", str(server.socket), "--csv"]
    command += ["-c", str(connections), "-P", str(pipeline), "-n", str(requests)]
    command += ["-r", str(KEYS), *server.evalsha("user:__rand_int__")]
    table = await output_of(command)
    figures = next(csv.DictReader(table.splitlines()))
    return Point(
        rate=float(figures["rps"]),
        p50=float(figures["p50_latency_ms"]) * 1000,
        p99=float(figures["p99_latency_ms"]) * 1000,
    )
