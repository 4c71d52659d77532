"""A gRPC client that asks as Envoy does."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
import grpc.aio

from sidegate.link.address import Address
from tests.support.envoy.rls_proto import HealthRequest, HealthResponse, Response

RATE_LIMIT: Final = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
HEALTH: Final = "/grpc.health.v1.Health/Check"
OK: Final = 1
OVER: Final = 2
SERVING: Final = 1
NOT_SERVING: Final = 2


class RlsClient:
    """Calls over one channel, each within some seconds; an error is a grpc.aio.AioRpcError."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def call(
        self,
        request: Any,
        timeout: float = 10.0,  # noqa: ASYNC109  # it is the call's deadline
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> Any:
        """Make a call of the rate limit service."""
        return Response.FromString(
            await self.raw(request.SerializeToString(), timeout, metadata=metadata)
        )

    async def raw(
        self,
        data: bytes,
        timeout: float = 10.0,  # noqa: ASYNC109  # as above
        method: str = RATE_LIMIT,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> bytes:
        """Make a call with these bytes, and return those of the answer."""
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method)
        return await call(data, timeout=timeout, metadata=grpc.aio.Metadata(*metadata))

    async def health(self, service: str = "") -> int:
        """Ask for the health of a service, as a balancer does."""
        data = HealthRequest(service=service).SerializeToString()
        status: int = HealthResponse.FromString(await self.raw(data, method=HEALTH)).status
        return status

    async def code_of(self, data: bytes, **options: Any) -> grpc.StatusCode:
        """Return how a call with these bytes ends."""
        try:
            await self.raw(data, **options)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK


@asynccontextmanager
async def rls_client(
    address: Address, credentials: grpc.ChannelCredentials | None = None
) -> AsyncGenerator[RlsClient]:
    """Return a client of the gRPC port at an address."""
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
    if credentials is None:
        channel = grpc.aio.insecure_channel(str(address), options=options)
    else:
        channel = grpc.aio.secure_channel(str(address), credentials, options=options)
    async with channel:
        yield RlsClient(channel)
