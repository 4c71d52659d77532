"""What a call of Envoy's rate limit service costs, beside a gRPC server that does nothing.

The client is grpcio's as well, in this process: so both columns are mostly its time and the
server's, and what a limiter adds is the difference.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

import grpc.aio

from bench.contenders.contender import charge_all, python_contender
from bench.lab.processes import python, running
from bench.lab.sidecars import sidecar
from bench.plan import KEYS, LIMIT_TOKENS, key_names
from bench.rounds import measure_rounds
from sidegate_sidecar.fronts.envoy import protobuf
from sidegate_sidecar.fronts.envoy.rls_messages import Code
from sidegate_sidecar.lab.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from bench.contenders.contender import Contender
    from bench.plan import Plan
    from bench.results import Results

PART: Final = "rls"
OURS: Final = "sidegate, Envoy's RLS"
ECHO: Final = "gRPC echo"
IN_FLIGHT: Final = (1, 16, 64)
LIMITS: Final = f"""
domain: bench
descriptors:
  - key: user
    rate_limit: {{unit: day, requests_per_unit: {LIMIT_TOKENS}}}
"""
_METHOD: Final = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
_ALLOWED: Final = protobuf.whole(1, Code.OK)
_NOTES: Final = {
    OURS: "one descriptor with a limit, decided by its owner; grpcio at both ends, uvloop, TCP",
    ECHO: "no limiter: the bytes of that call back, by a generic handler of grpcio on uvloop",
}


async def measure(plan: Plan, results: Results, folder: Path, tell: Callable[[str], None]) -> None:
    """Measure both at each point, one after the other."""
    limits = folder / "limits.yaml"
    limits.write_text(LIMITS)
    ours, echo = (f"127.0.0.1:{port}" for port in free_ports(2))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            sidecar(folder, "rls", grpc=ours, ratelimit_yaml=str(limits))
        )
        log = folder / "grpc_echo.log"
        process = stack.enter_context(running(python("bench.lab.grpc_echo", echo), log))
        contenders = [
            await stack.enter_async_context(_contender(name, address))
            for name, address in ((ECHO, echo), (OURS, ours))
        ]
        await measure_rounds(PART, contenders, IN_FLIGHT, plan, results, tell)
        assert process.poll() is None  # or its calls would have failed


@asynccontextmanager
async def _contender(name: str, address: str) -> AsyncGenerator[Contender]:
    async with grpc.aio.insecure_channel(address) as channel:
        await channel.channel_ready()
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_METHOD)

        def ask(key: str) -> Awaitable[bytes]:
            return call(_request(key))

        def allowed(answer: bytes) -> bool:
            return name == ECHO or (
                answer.startswith(_ALLOWED) and b"sidegate-source" not in answer
            )

        keys = list(key_names(KEYS))
        await charge_all(ask, keys)
        yield python_contender(name, _NOTES[name], ask, allowed, keys)


def _request(key: str) -> bytes:
    entry = protobuf.octets(1, b"user") + protobuf.octets(2, key.encode())
    descriptor = protobuf.message(1, entry)
    return protobuf.octets(1, b"bench") + protobuf.message(2, descriptor)
