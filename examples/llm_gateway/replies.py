"""Replies: an answer as the client wants it, in events or as a whole."""

import json
from typing import Any, Final, Protocol

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from .budget import Meter
from .calls import Call
from .problems import Problem
from .upstream import Event, UpstreamError, Usage

MAX_WHOLE: Final = 4 << 20  # bytes of an answer that is kept until it is whole
STREAM: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}


class Reply(Protocol):
    """What a client gets, from the first event of the model server on."""

    async def begin(self) -> None:
        """Begin: the model server has accepted the call."""
        ...

    async def event(self, event: Event) -> None:
        """Pass an event on."""
        ...

    async def cut_short(self) -> None:
        """Say that no token more is to be had."""
        ...

    async def end(self) -> None:
        """End it."""
        ...

    async def fail(self, problem: Problem) -> None:
        """Say what has gone wrong since it began."""
        ...


class EventReply:
    """Events as they come. `fields` of the response tell what was left when it began."""

    def __init__(self, call: Call, meter: Meter, send: Send) -> None:
        self._call = call
        self._meter = meter
        self._send = send

    async def begin(self) -> None:
        """Send the head."""
        fields = {**STREAM, **self._meter.fields}
        raw = [(name.encode(), value.encode()) for name, value in fields.items()]
        await self._send({"type": "http.response.start", "status": 200, "headers": raw})

    async def event(self, event: Event) -> None:
        """Send it, if it is one that the client has asked for."""
        if event.usage is None or self._call.stream_options.include_usage:
            await self._body(event.data)

    async def cut_short(self) -> None:
        """Say so as a model does that has come to `max_tokens`."""
        choice: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "length"}
        chunk = {"object": "chat.completion.chunk", "model": self._call.model, "choices": [choice]}
        await self._body(json.dumps(chunk).encode())

    async def end(self) -> None:
        """Send the end."""
        await self._body(b"[DONE]")
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def fail(self, problem: Problem) -> None:
        """Send the error as an event: the status is out."""
        await self._body(json.dumps({"error": problem.error}).encode())
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _body(self, data: bytes) -> None:
        body = b"data: " + data + b"\n\n"
        await self._send({"type": "http.response.body", "body": body, "more_body": True})


class WholeReply:
    """All of it at the end."""

    def __init__(
        self, call: Call, meter: Meter, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._call = call
        self._meter = meter
        self._to = scope, receive, send
        self._texts: list[str] = []
        self._size = 0
        self._why: str | None = "stop"
        self._usage: Usage | None = None

    async def begin(self) -> None:
        """Nothing is sent yet."""

    async def event(self, event: Event) -> None:
        """Keep what it says. UpstreamError if that is too much."""
        self._size += len(event.data)
        if self._size > MAX_WHOLE:
            raise UpstreamError(f"an answer of over {MAX_WHOLE} bytes")
        self._texts.append(event.text)
        self._why = event.finish_reason or self._why
        self._usage = event.usage or self._usage

    async def cut_short(self) -> None:
        """Say so as a model does that has come to `max_tokens`."""
        self._why = "length"

    async def end(self) -> None:
        """Send all."""
        message = {"role": "assistant", "content": "".join(self._texts)}
        await JSONResponse(
            {
                "object": "chat.completion",
                "model": self._call.model,
                "choices": [{"index": 0, "message": message, "finish_reason": self._why}],
                "usage": self._used(),
            },
            headers=self._meter.fields,
        )(*self._to)

    async def fail(self, problem: Problem) -> None:
        """Send the problem alone, which costs nothing."""
        self._meter.waive()
        await problem.response()(*self._to)

    def _used(self) -> dict[str, Any]:
        """Return what the model server says, or what was counted."""
        if self._usage is not None:
            return self._usage.model_dump()
        prompt, output = self._meter.prompt, self._meter.output
        return Usage(
            prompt_tokens=prompt, completion_tokens=output, total_tokens=prompt + output
        ).model_dump()
