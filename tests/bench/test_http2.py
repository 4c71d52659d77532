"""gRPC by hand: a real server of grpcio understands it, and frames are read in whatever parts."""

from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import grpc
import pytest
from bench.peers.asking.batching import Calls, calls
from bench.peers.asking.http2 import GrpcConnection
from bench.peers.asking.messages import RATELIMIT, PeerError, RatelimitCheck

from sidegate_sidecar.fronts.envoy import protobuf

HEADERS, DATA, SETTINGS, PING, GOAWAY = 1, 0, 4, 6, 7


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
    return head + payload


def message(data: bytes) -> bytes:
    return b"\0" + len(data).to_bytes(4, "big") + data


def test_a_call_has_ended_with_the_trailers_and_its_message_may_come_in_parts() -> None:
    answer = message(b"hello")
    whole = (
        frame(HEADERS, 4, 1, b"fields")
        + frame(DATA, 0, 1, answer[:3])
        + frame(DATA, 0, 1, answer[3:])
        + frame(HEADERS, 5, 1, b"trailers")
    )
    for end in range(len(whole)):
        connection = GrpcConnection("h:1", RATELIMIT)
        first, _ = connection.take(whole[:end])
        then, replies = connection.take(whole[end:])
        assert (first + then, replies) == ([(1, b"hello")], b"")


def test_a_call_that_is_answered_by_an_error_alone_is_no_message() -> None:
    """The next one is not meant by it."""
    connection = GrpcConnection("h:1", RATELIMIT)
    failed, right = frame(HEADERS, 5, 1, b"14"), frame(DATA, 0, 3, message(b"x"))
    ended, _ = connection.take(failed + right + frame(HEADERS, 5, 3))
    assert ended == [(1, None), (3, b"x")]


def test_settings_and_pings_are_answered_once() -> None:
    connection = GrpcConnection("h:1", RATELIMIT)
    settings, ping = frame(SETTINGS, 0, 0, b"\0" * 6), frame(PING, 0, 0, b"12345678")
    _, replies = connection.take(settings + ping + frame(SETTINGS, 1, 0))
    assert replies == frame(SETTINGS, 1, 0) + frame(PING, 1, 0, b"12345678")


def test_a_server_that_goes_ends_the_connection() -> None:
    with pytest.raises(PeerError, match="bye"):
        GrpcConnection("h:1", RATELIMIT).take(frame(GOAWAY, 0, 0, b"bye"))


class Service(grpc.GenericRpcHandler):
    """Allows all but "no", and fails a call that has "broken"."""

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        if handler_call_details.method != RATELIMIT:
            return None
        return grpc.unary_unary_rpc_method_handler(self._answer)

    def _answer(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        if b"broken" in data:
            context.abort(grpc.StatusCode.INTERNAL, "broken")
        descriptors = [it for number, it in protobuf.fields(data) if number == 2]
        codes = (2 if b"no" in bytes(it) else 1 for it in descriptors)
        return b"".join(protobuf.message(2, protobuf.whole(1, code)) for code in codes)


@asynccontextmanager
async def connected() -> AsyncGenerator[Calls]:
    """Offer a client at a server in threads, which leaves the test's event loop alone."""
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        server.add_generic_rpc_handlers((Service(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        async with calls(RatelimitCheck(), RATELIMIT, "127.0.0.1", port) as client:
            yield client
        server.stop(None).wait()


async def test_a_real_server_is_asked_and_understood() -> None:
    async with connected() as client:
        futures = [client.ask(key) for key in ("yes", "no", "yes", "no")]
        assert [await future for future in futures] == [True, False, True, False]


async def test_a_call_that_fails_leaves_the_connection() -> None:
    async with connected() as client:
        with pytest.raises(PeerError):
            await client.ask("broken")
        assert await client.ask("yes")
