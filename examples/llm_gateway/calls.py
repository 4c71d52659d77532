"""A call: what a client may ask for, and what is wrong with what it asks."""

import asyncio
from typing import Any, Final, Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect

from .problems import bad_request
from .settings import CONTEXT_TOKENS

MAX_BODY: Final = 1 << 20  # bytes: 16 times the largest context
BODY_SECONDS: Final = 10  # in which a body has to be there
GUESS: Final = 64  # tokens of an answer whose client doesn't say how many it wants
_TOLD: Final = {"model", "messages", "temperature", "top_p"}  # to the model server, as it is


class Strict(BaseModel):
    """No field but these: what isn't known (`n`, `best_of`) may cost what nobody counts."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Message(Strict):
    """One message of a chat."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str


class StreamOptions(Strict):
    """What a client wants to know of a stream."""

    include_usage: bool = False


class Call(Strict):
    """A chat completion that is asked for."""

    model: str = Field(max_length=64)
    messages: list[Message] = Field(min_length=1, max_length=1_000)
    max_tokens: int | None = Field(default=None, ge=1)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)

    @property
    def prompt_tokens(self) -> int:
        """How many tokens the messages are."""
        return sum(count_tokens(it.content) for it in self.messages)

    @property
    def max_output(self) -> int:
        """How many tokens the answer may have: what is asked for, cut to what the model has."""
        room = CONTEXT_TOKENS[self.model] - self.prompt_tokens
        return room if self.max_tokens is None else min(self.max_tokens, room)

    @property
    def estimate(self) -> int:
        """How many tokens are reserved: all that it may use, or a guess where it doesn't say."""
        output = GUESS if self.max_tokens is None else self.max_tokens
        return self.prompt_tokens + min(output, self.max_output)

    def upstream(self) -> dict[str, Any]:
        """Return what the model server is asked; it always streams, and says what it has used."""
        told = self.model_dump(include=_TOLD, exclude_none=True)
        streams = {"stream": True, "stream_options": {"include_usage": True}}
        return {**told, **streams, "max_tokens": self.max_output}


def count_tokens(text: str) -> int:
    """Return how many tokens a text is: of the made-up model its words.

    A real gateway asks the tokenizer of its model, or takes a token for three bytes.
    """
    return len(text.split())


async def call_of(request: Request) -> Call:
    """Return the call that a request is. Problem."""
    try:
        call = Call.model_validate_json(await _body_of(request))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise bad_request("invalid_value", f"{where or 'body'}: {first['msg']}") from None
    context = CONTEXT_TOKENS.get(call.model)
    if context is None:
        message = f"The model {call.model!r} does not exist."
        raise bad_request("model_not_found", message, 404)
    if call.max_output < 1:
        message = f"The model has {context} tokens, the messages alone are {call.prompt_tokens}."
        raise bad_request("context_length_exceeded", message)
    return call


async def _body_of(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY:
                    raise bad_request("body_too_large", f"body: over {MAX_BODY} bytes", 413)
    except TimeoutError:
        message = f"body: not there within {BODY_SECONDS} s"
        raise bad_request("body_timeout", message, 408) from None
    except ClientDisconnect:  # nobody hears it
        raise bad_request("body_incomplete", "body: it isn't whole") from None
    return bytes(body)
