"""The gRPC server: its port, its bounds, who may call what, and how it ends.

Imported only where it is switched on. grpcio's threads read and write; what a call means is worked
out in the sidecar's loop.
"""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from time import monotonic, time
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from sidegate_sidecar.fronts.envoy.kuadrant.reserve_calls import KuadrantCalls
from sidegate_sidecar.fronts.envoy.ratelimit_files import RatelimitFiles
from sidegate_sidecar.fronts.envoy.rls_access import RlsAccess, server_credentials
from sidegate_sidecar.fronts.envoy.rls_asking import questions
from sidegate_sidecar.fronts.envoy.rls_calls import RlsCalls
from sidegate_sidecar.fronts.envoy.rls_counts import RlsCollector, RlsCounts
from sidegate_sidecar.fronts.envoy.rls_rules import rule_questions
from sidegate_sidecar.links.sockets import ListenError, listen
from sidegate_sidecar.sidecar import tell_fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from sidegate.link.address import Address
    from sidegate_sidecar.fronts.envoy.rls_calls import Context, Questions
    from sidegate_sidecar.rules_file.rules_in_force import RulesInForce
    from sidegate_sidecar.sidecar import Sidecar

    Handler: TypeAlias = grpc.RpcMethodHandler[bytes, bytes]

MAX_MESSAGE: Final = 1 << 20  # bytes: sixteen descriptors with the longest field of Envoy's default
MAX_CALLS: Final = 256  # at a time: with the above 256 MiB, and more than a loop answers in 50 ms
MAX_STREAMS: Final = 4 * MAX_CALLS  # of a connection: gRPC refuses some already when it is near
MAX_CONNECTIONS: Final = 256  # one or two of each worker of an Envoy; strangers get no more either
MAX_METADATA: Final = 16 << 10  # bytes of a call's
MAX_IDLE: Final = 300_000  # ms without a call: whoever wants the place may have it then
HANDSHAKE: Final = 5_000  # ms: TLS and the beginning of HTTP/2
PINGS_EVERY: Final = 10_000  # ms: who pings more often is cut off
TELL_EVERY: Final = 10.0  # seconds
END_WITHIN: Final = 1.0  # seconds for calls in progress: a check takes no longer than its budget

RATE_LIMIT: Final = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
HEALTH: Final = "/grpc.health.v1.Health/Check"

_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # or two sidecars share a port, and nobody notices
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_concurrent_streams", MAX_STREAMS),
    ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
    ("grpc.max_metadata_size", MAX_METADATA),
    ("grpc.absolute_max_metadata_size", MAX_METADATA),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE),
    ("grpc.max_connection_idle_ms", MAX_IDLE),
    ("grpc.http2.bdp_probe", 0),  # what may be on its way on a connection stays at 64 KiB
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", PINGS_EVERY),
)


class RlsServer(grpc.GenericRpcHandler):
    """Serves a sidecar's gRPC at an address, whose port 0 takes a free one.

    It listens at once, in the present loop, and answers from `start` on. ListenError, and
    OptionError for a file that can't be used.
    """

    def __init__(self, sidecar: Sidecar, address: Address) -> None:
        paths = sidecar.config.ratelimit_yaml
        self.files = RatelimitFiles(paths) if paths else None
        self.counts = RlsCounts()
        self.collector = RlsCollector(self.counts, self.files)
        self._access = RlsAccess(sidecar.config)
        asks = _questions(sidecar.rules, self.files)
        self._calls = RlsCalls(sidecar, asks, self.counts)
        self._holds = KuadrantCalls(sidecar.sessions.reservations, asks, self.counts)
        self._server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
        self._server.add_generic_rpc_handlers((self,))
        self.address = replace(address, port=self._listen(sidecar, address))
        self._tasks: list[asyncio.Task[None]] = []

    def _listen(self, sidecar: Sidecar, address: Address) -> int:
        listen("grpc", address).close()  # it knows why it can't; gRPC doesn't say
        tls = sidecar.config.tls
        try:
            if tls is None:
                return self._server.add_insecure_port(str(address))
            return self._server.add_secure_port(str(address), server_credentials(tls))
        except RuntimeError:
            why = OSError(errno.EADDRINUSE, "Address already in use")
            raise ListenError("grpc", str(address), why) from None

    async def start(self) -> None:
        """Answer from now on."""
        await self._server.start()
        files = [self.files.run()] if self.files is not None else []
        for work in (*files, self._tell_rest()):
            task = asyncio.get_running_loop().create_task(work)
            task.add_done_callback(tell_fault)
            self._tasks.append(task)

    def leave(self) -> None:
        """Tell whoever asks for its health to go elsewhere; calls are answered on."""
        self._calls.is_leaving = True

    async def stop(self) -> None:
        """Take no more calls, let those in progress end, and close; a second time is as good."""
        for task in self._tasks:
            task.cancel()
        await self._server.stop(END_WITHIN)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """Return what answers a call, by its head: who may not call isn't read any further."""
        details = handler_call_details
        if details.method == HEALTH:
            return grpc.stream_unary_rpc_method_handler(self._calls.health)
        if why := self._access.refusal(details.invocation_metadata or ()):
            return grpc.stream_unary_rpc_method_handler(self._refusing(why))
        if details.method == RATE_LIMIT:
            return grpc.unary_unary_rpc_method_handler(self._calls.should_rate_limit)
        if call := self._holds.methods.get(str(details.method)):
            return grpc.unary_unary_rpc_method_handler(call)
        self.counts.refuse("method", f"{details.method!r:.120}", "somebody", monotonic())
        return None

    def _refusing(self, why: str) -> Callable[[object, Context], Awaitable[bytes]]:
        async def refuse(_unread: object, context: Context) -> bytes:
            await self._calls.refuse_stranger(why, context)

        return refuse

    async def _tell_rest(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY)
            self.counts.tell_rest(monotonic())


def _questions(rules: RulesInForce | None, files: RatelimitFiles | None) -> Questions:
    """Return what tells what a call asks: by files of limits if there are any, else by the rules.

    Never by both: who reads one of them knows what is limited.
    """
    if files is not None:
        return lambda request: questions(files.value, request)
    assert rules is not None  # the options have seen to it
    return lambda request: rule_questions(rules.value, request, time())
