"""An empty gRPC server: `python -m bench.lab.grpc_echo HOST:PORT` sends back what it is sent."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import uvloop

if TYPE_CHECKING:
    from typing import TypeAlias

    Handler: TypeAlias = grpc.RpcMethodHandler[bytes, bytes]


class GrpcEcho(grpc.GenericRpcHandler):
    """Answers each call of whatever method."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:  # noqa: ARG002
        """Return what echoes."""
        return grpc.unary_unary_rpc_method_handler(self._echo)

    async def _echo(self, data: bytes, _context: object) -> bytes:
        return data


async def serve(address: str) -> None:
    """Echo until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((GrpcEcho(),))
    server.add_insecure_port(address)
    await server.start()
    await ended.wait()
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
