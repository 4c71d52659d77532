"""An answer: the slot and the tokens of a call are held while it runs, and no longer."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Final

import httpx2
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from sidegate import Client, SidegateError

from .budget import STREAM_SECONDS, Meter, admitted
from .calls import Call, count_tokens
from .problems import Problem, unlimited
from .replies import EventReply, Reply, WholeReply
from .settings import Account
from .upstream import UPSTREAM_ERRORS, asked

log = logging.getLogger("llm_gateway")

END_SECONDS: Final = 5  # for what cancelled answers give back: one question to the sidecar
FAILED: Final = Problem(502, "server_error", "upstream_error", "The model server has failed.")
TOO_LONG: Final = Problem(504, "server_error", "timeout", f"Over {STREAM_SECONDS} s: given up.")


class ClientGoneError(Exception):
    """Nobody takes the answer."""


@dataclass(frozen=True)
class Parts:
    """What answers are made with. In `send_seconds` a client has to take what it is sent."""

    client: Client
    http: httpx2.AsyncClient
    send_seconds: float
    running: set[asyncio.Task[object]] = field(default_factory=set[asyncio.Task[object]])

    async def wait_for_answers(self) -> None:
        """Wait until all have given back what they hold: a server that ends has cancelled them."""
        if self.running:
            await asyncio.wait(self.running, timeout=END_SECONDS)


class Answer(Response):
    """The response to one call. All that it holds is got and given back within `__call__`."""

    def __init__(self, parts: Parts, account: Account, call: Call) -> None:
        super().__init__()
        self._parts = parts
        self._account = account
        self._call = call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, until it is done or the client has gone."""
        sending = _within(send, self._parts.send_seconds)
        task, running = asyncio.current_task(), self._parts.running
        assert task is not None, "a server runs it"
        running.add(task)
        try:
            await _while_connected(receive, self._answer(scope, receive, sending))
        except* ClientGoneError:
            log.info("%s takes nothing any more", self._account.name)
        finally:
            running.discard(task)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say why there is no answer."""
        try:
            async with admitted(self._parts.client, self._account, self._call) as meter:
                if self._call.stream:
                    await self._relay(meter, EventReply(self._call, meter, send))
                else:
                    await self._relay(meter, WholeReply(self._call, meter, scope, receive, send))
        except Problem as problem:
            await problem.response()(scope, receive, send)
        except SidegateError:
            log.exception("a call of %s could not be limited", self._account.name)
            await unlimited().response()(scope, receive, send)

    async def _relay(self, meter: Meter, reply: Reply) -> None:
        """Pass on what the model server says. Problem, if it hasn't accepted the call."""
        has_begun = False
        try:
            async with (
                asyncio.timeout(STREAM_SECONDS),
                asked(self._parts.http, self._call) as events,
            ):
                meter.accepted()
                await reply.begin()
                has_begun = True
                async for event in events:
                    if not await meter.take(count_tokens(event.text)):
                        await reply.cut_short()
                        break
                    if event.usage is not None:
                        meter.settle(event.usage.total_tokens)
                    await reply.event(event)
                await reply.end()
        except (*UPSTREAM_ERRORS, TimeoutError, SidegateError) as error:
            log.warning("a call of %s failed: %r", self._account.name, error)
            if not meter.output:
                meter.waive()
            if not has_begun:
                raise _told(error) from None
            await reply.fail(_told(error))


def _told(error: Exception) -> Problem:
    """Return what a client is told of an error."""
    if isinstance(error, SidegateError):
        return unlimited()
    return TOO_LONG if isinstance(error, TimeoutError) else FAILED


def _within(send: Send, seconds: float) -> Send:
    """Return what sends a message, or gives up a client that doesn't read. ClientGoneError."""

    async def sending(message: Message) -> None:
        try:
            async with asyncio.timeout(seconds):
                await send(message)
        except (TimeoutError, OSError):
            raise ClientGoneError from None

    return sending


async def _while_connected(receive: Receive, answering: Coroutine[None, None, None]) -> None:
    """Run it to its end, or cancel it when the client has gone."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        answer.cancel()

    async with asyncio.TaskGroup() as both:
        answer = both.create_task(answering)
        watching = both.create_task(watch())
        answer.add_done_callback(lambda _: watching.cancel())
