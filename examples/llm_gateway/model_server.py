"""A made-up model server that streams: `uvicorn llm_gateway.model_server:app --port 8001`.

It says as many words as the last message wants: "say 30", 20 where it doesn't say. "say 30 of 9"
makes each of nine letters, of which eight are a token to it. "say 30 then fail" breaks off, "say 30
then hang" says nothing more, and "fail" is answered 500. LLM_PACE is the time between two words in
seconds.
"""

import asyncio
import json
import os
import re
from collections.abc import AsyncGenerator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel

from .calls import Message, StreamOptions, count_tokens

WANTED: Final = re.compile(r"say (\d{1,6})(?: of (\d{1,6}))?(?: then (\w+))?$")
WORDS: Final = 20
TOKEN: Final = 8  # letters


class Completion(BaseModel):
    """What is asked of it."""

    model: str
    messages: list[Message]
    max_tokens: int
    stream: bool
    stream_options: StreamOptions = StreamOptions()


def create_app(pace: float) -> FastAPI:
    """Return the app. The same question has the same answer."""
    app = FastAPI(openapi_url=None)

    @app.post("/v1/chat/completions")
    async def chat_completions(asked: Completion) -> Response:
        if asked.messages[-1].content == "fail":
            return JSONResponse({"error": {"message": "out of order"}}, 500)
        return StreamingResponse(events(asked, pace), media_type="text/event-stream")

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app


async def events(asked: Completion, pace: float) -> AsyncGenerator[bytes]:
    """Give the answer, a word in each event."""
    found = WANTED.search(asked.messages[-1].content)
    count, letters, then = found.groups() if found else (WORDS, None, None)
    length, wanted = int(letters or 1), int(count)
    word, tokens = "w" * length + " ", -(-length // TOKEN)
    said = min(wanted, asked.max_tokens)
    for _ in range(said):
        yield chunk(asked, {"content": word})
        await asyncio.sleep(pace)
    if then == "fail":
        return
    if then == "hang":
        await asyncio.Event().wait()
    yield chunk(asked, {}, "stop" if said == wanted else "length")
    if asked.stream_options.include_usage:
        prompt = sum(count_tokens(it.content) for it in asked.messages)
        usage = {"prompt_tokens": prompt, "completion_tokens": said * tokens}
        total = {"total_tokens": sum(usage.values())}
        yield event({"model": asked.model, "choices": [], "usage": usage | total})
    yield b"data: [DONE]\n\n"


def chunk(asked: Completion, delta: dict[str, str], why: str | None = None) -> bytes:
    """Return a part of the answer as an event."""
    choice = {"index": 0, "delta": delta, "finish_reason": why}
    head = {"object": "chat.completion.chunk", "model": asked.model}
    return event({**head, "choices": [choice]})


def event(data: dict[str, Any]) -> bytes:
    """Return an event."""
    return f"data: {json.dumps(data)}\n\n".encode()


app = create_app(float(os.environ.get("LLM_PACE") or 0.02))
