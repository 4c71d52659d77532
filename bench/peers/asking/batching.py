"""Clients of peers that are written by hand, as lean as we know how, and batch as ours does.

All checks of one turn of the event loop leave in one write, to a server that knows calls with
several checks in one call. A check that comes alone leaves at once.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, cast

from bench.peers.asking.http2 import GrpcConnection
from bench.peers.asking.messages import PeerError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    Asked: TypeAlias = list[tuple[str, asyncio.Future[bool]]]

MAX_BATCH: Final = 500  # checks in one call: gubernator takes 1,000


class LineChecks(Protocol):
    """Checks whose answers come one by one, in the order in which they were asked."""

    def request(self, keys: list[str]) -> bytes:
        """Return the bytes that ask about these."""
        ...

    def take(self, received: bytes) -> tuple[list[bool], bytes]:
        """Return what is answered, and the bytes that are left."""
        ...


class CallChecks(Protocol):
    """Checks that are asked and answered several in one message."""

    def request(self, keys: list[str]) -> bytes:
        """Return the message that asks about these."""
        ...

    def answers(self, data: bytes) -> list[bool | PeerError]:
        """Return what each was answered."""
        ...


class Batching(asyncio.Protocol):
    """One connection, on which the checks of a turn leave together."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._asked: Asked = []
        self._alone = True  # was the last batch of one check?
        self._lost: PeerError | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to write."""
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, key: str) -> asyncio.Future[bool]:
        """Return whether a check is allowed; PeerError if there is no answer."""
        future = self._loop.create_future()
        if self._lost is not None:
            future.set_exception(self._lost)
            return future
        self._asked.append((key, future))
        if len(self._asked) == 1:
            if self._alone and not self._is_waiting():
                self._flush()
            else:
                self._loop.call_soon(self._flush)
        return future

    def _flush(self) -> None:
        asked, self._asked = self._asked, []
        self._alone = len(asked) == 1
        if asked and self._lost is None:
            self._send(asked)
        elif self._lost is not None:
            for _, future in asked:
                _resolve(future, self._lost)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what waits."""
        self._fail_all(PeerError(f"the connection is gone: {exc or 'it was closed'}"))

    def _fail_all(self, error: PeerError) -> None:
        self._lost = self._lost or error
        for future in [future for _, future in self._asked] + self._waiting():
            _resolve(future, self._lost)
        self._transport.close()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    @abstractmethod
    def _send(self, asked: Asked) -> None: ...

    @abstractmethod
    def _is_waiting(self) -> bool: ...

    @abstractmethod
    def _waiting(self) -> list[asyncio.Future[bool]]: ...


class Lines(Batching):
    """Requests and answers in one order: a pipeline of RESP, or of HTTP."""

    def __init__(self, checks: LineChecks) -> None:
        super().__init__()
        self._checks = checks
        self._order: deque[asyncio.Future[bool]] = deque()
        self._left = b""

    def _send(self, asked: Asked) -> None:
        self._order.extend(future for _, future in asked)
        self._transport.write(self._checks.request([key for key, _ in asked]))

    def data_received(self, data: bytes) -> None:
        """Resolve what is answered."""
        try:
            answers, self._left = self._checks.take(self._left + data if self._left else data)
        except PeerError as error:
            self._fail_all(error)
            return
        for answer in answers:
            _resolve(self._order.popleft(), answer)

    def _is_waiting(self) -> bool:
        return bool(self._order)

    def _waiting(self) -> list[asyncio.Future[bool]]:
        return list(self._order)


class Calls(Batching):
    """Calls of gRPC, each with all checks of a turn."""

    def __init__(self, checks: CallChecks, connection: GrpcConnection) -> None:
        super().__init__()
        self._checks = checks
        self._grpc = connection
        self._calls: dict[int, list[asyncio.Future[bool]]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say what a client of HTTP/2 says first."""
        super().connection_made(transport)
        self._transport.write(self._grpc.opening())

    def _send(self, asked: Asked) -> None:
        for start in range(0, len(asked), MAX_BATCH):
            some = asked[start : start + MAX_BATCH]
            stream, data = self._grpc.call(self._checks.request([key for key, _ in some]))
            self._calls[stream] = [future for _, future in some]
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Resolve the checks of calls that are answered."""
        try:
            ended, replies = self._grpc.take(data)
        except PeerError as error:
            self._fail_all(error)
            return
        if replies:
            self._transport.write(replies)
        for stream, message in ended:
            self._resolve_call(self._calls.pop(stream, []), message)

    def _resolve_call(self, futures: list[asyncio.Future[bool]], message: bytes | None) -> None:
        answers = [] if message is None else self._checks.answers(message)
        if len(answers) != len(futures):
            answers = [PeerError(f"{len(answers)} answers to {len(futures)} checks")] * len(futures)
        for future, answer in zip(futures, answers, strict=True):
            _resolve(future, answer)

    def _is_waiting(self) -> bool:
        return bool(self._calls)

    def _waiting(self) -> list[asyncio.Future[bool]]:
        return [future for futures in self._calls.values() for future in futures]


def _resolve(future: asyncio.Future[bool], answer: bool | PeerError) -> None:
    if future.done():
        return  # who asked has gone
    if isinstance(answer, PeerError):
        future.set_exception(answer)
    else:
        future.set_result(answer)


@asynccontextmanager
async def lines(checks: LineChecks, host: str, port: int) -> AsyncGenerator[Lines]:
    """Offer a connection for as long as the block."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Lines(checks), host, port)
    try:
        yield connection
    finally:
        connection.close()


@asynccontextmanager
async def calls(checks: CallChecks, method: str, host: str, port: int) -> AsyncGenerator[Calls]:
    """Offer a connection for as long as the block."""
    loop = asyncio.get_running_loop()
    grpc = GrpcConnection(f"{host}:{port}", method)
    _, connection = await loop.create_connection(lambda: Calls(checks, grpc), host, port)
    try:
        yield connection
    finally:
        connection.close()
