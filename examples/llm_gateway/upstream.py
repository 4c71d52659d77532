"""The model server: asked for a stream, whose events are read within bounds."""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import httpx2
from pydantic import BaseModel, Field, ValidationError

from .calls import Call

MAX_EVENT: Final = 1 << 20  # bytes
MAX_CONNECTIONS: Final = 1_000  # calls of one process at a time; the others wait
# Seconds: `read` is for the time between two tokens, `pool` for a connection to be free.
TIMEOUT: Final = httpx2.Timeout(connect=5, write=10, read=60, pool=10)


class UpstreamError(Exception):
    """The model server has said something else than an answer."""


UPSTREAM_ERRORS: Final = (httpx2.HTTPError, UpstreamError)


class Usage(BaseModel):
    """What a call has used."""

    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    total_tokens: int = Field(ge=0)


class _Delta(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class _Chunk(BaseModel):
    choices: list[_Choice] = Field(default=[], max_length=1)
    usage: Usage | None = None


class Event(NamedTuple):
    """One event of a stream: as it came, and what it says."""

    data: bytes
    text: str
    finish_reason: str | None
    usage: Usage | None


def model_server(url: str) -> httpx2.AsyncClient:
    """Return a client of it."""
    limits = httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=20)
    return httpx2.AsyncClient(base_url=url, limits=limits, timeout=TIMEOUT, trust_env=False)


@asynccontextmanager
async def asked(http: httpx2.AsyncClient, call: Call) -> AsyncGenerator[AsyncGenerator[Event]]:
    """Ask it, and give the events of its answer. UPSTREAM_ERRORS, of these as well."""
    async with http.stream("POST", "/v1/chat/completions", json=call.upstream()) as response:
        if not response.is_success:
            raise UpstreamError(f"the model server answered {response.status_code}")
        events = _events(response.aiter_bytes())
        try:
            yield events
        finally:
            await events.aclose()


async def _events(parts: AsyncIterable[bytes]) -> AsyncGenerator[Event]:
    """Give all up to `[DONE]`; UpstreamError if that doesn't come."""
    async for data in _data(parts):
        if data == b"[DONE]":
            return
        try:
            chunk = _Chunk.model_validate_json(data)
        except ValidationError as error:
            raise UpstreamError(f"an event that can't be read: {error}") from None
        choice = chunk.choices[0] if chunk.choices else _Choice()
        yield Event(data, choice.delta.content or "", choice.finish_reason, chunk.usage)
    raise UpstreamError("the answer was cut off")


async def _data(parts: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """Give the data of each event, which is one line in such streams."""
    rest = b""
    async for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()
        if len(rest) > MAX_EVENT:
            raise UpstreamError(f"an event of over {MAX_EVENT} bytes")
