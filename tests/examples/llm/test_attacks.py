"""What strangers and careless clients send: each gets a clear error, and none costs or holds."""

import asyncio
import json
import socket
from contextlib import closing
from typing import Any

import pytest

from tests.examples.llm.chat import ADD, GUESS, PATH, TRIES, Chat, bearer, call
from tests.examples.llm.conftest import Example

HELLO = "say 1"


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        ({"max_tokens": -1}, 400, "max_tokens: Input should be greater than or equal to 1"),
        ({"max_tokens": 0}, 400, "max_tokens: Input should be greater than or equal to 1"),
        ({"max_tokens": True}, 400, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": 1.5}, 400, "max_tokens: Input should be a valid integer"),
        ({"n": 5}, 400, "n: Extra inputs are not permitted"),
        ({"model": "gpt"}, 404, "The model 'gpt' does not exist."),
        ({"model": None}, 400, "model: Input should be a valid string"),
        ({"messages": []}, 400, "messages: List should have at least 1 item"),
        ({"messages": [{"role": "cat", "content": ""}]}, 400, "messages.0.role: Input should be"),
        (
            {"messages": [{"role": "user", "content": "w " * 4096}]},
            400,
            "The model has 4096 tokens, the messages alone are 4096.",
        ),
    ],
)
async def test_a_call_that_is_wrong(
    chat: Chat, more: dict[str, Any], status: int, message: str
) -> None:
    """The error names the field and what was expected."""
    refused = await chat.ask(TRIES, HELLO, **more)
    assert refused.status_code == status
    assert refused.json()["error"]["message"].startswith(message)
    assert refused.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[1]", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"model": "\\ud800"}', 400),
        (b" " * (1 << 20) + b"{}", 413),
    ],
)
async def test_a_body_that_is_no_call(chat: Chat, body: bytes, status: int) -> None:
    refused = await chat.http.post(PATH, content=body, headers=bearer(TRIES))
    assert refused.status_code == status
    assert refused.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "field", [None, b"", b"Bearer", b"Bearer sk-nobody", b"Basic sk-tries", b"Bearer \xff"]
)
async def test_a_key_that_is_not_known(chat: Chat, field: bytes | None) -> None:
    """It is told before the body is looked at."""
    headers = [] if field is None else [(b"authorization", field)]
    refused = await chat.http.post(PATH, content=b"{", headers=headers)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert refused.json()["error"]["code"] == "invalid_api_key"


async def test_another_path(chat: Chat) -> None:
    refused = await chat.http.get("/v1/models", headers=bearer(TRIES))
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unknown_url")


async def test_far_too_many_max_tokens(chat: Chat) -> None:
    """They are cut to what the model has, and what wasn't used is given back."""
    before = await chat.at_rest(TRIES)
    answer = await chat.ask(TRIES, "say 9", max_tokens=10**30)
    assert answer.headers["x-ratelimit-remaining-tokens"] == str(100_000 - before - 4096)
    usage = {"prompt_tokens": 2, "completion_tokens": 9, "total_tokens": 11}
    assert answer.json()["usage"] == usage
    await chat.settled(TRIES, before + 11)


async def test_usage_in_a_stream(chat: Chat) -> None:
    """Who asks for it gets it, and who doesn't doesn't."""
    asked = await chat.stream(TRIES, "say 9", stream_options={"include_usage": True})
    assert asked.usage == {"prompt_tokens": 2, "completion_tokens": 9, "total_tokens": 11}
    assert (await chat.stream(TRIES, "say 9")).usage is None


async def test_usage_that_the_gateway_has_not_counted(chat: Chat) -> None:
    """What the model server says is charged: here two tokens for a word."""
    before = await chat.at_rest(TRIES)
    told = await chat.stream(TRIES, "say 9 of 16", max_tokens=9)
    assert told.used == 4 + 9
    await chat.settled(TRIES, before + 4 + 18)


async def test_a_stream_that_breaks_off_before_its_first_token(chat: Chat) -> None:
    before = await chat.at_rest(TRIES)
    told = await chat.stream(TRIES, "say 0 then fail")
    assert (told.status, told.is_done, told.error["code"]) == (200, False, "upstream_error")
    await chat.settled(TRIES, before)


@pytest.mark.parametrize("content", ["fail", "say 0 then fail", "say 9 then fail"])
async def test_an_answer_that_fails_as_a_whole(chat: Chat, content: str) -> None:
    """It is no answer, and costs nothing."""
    before = await chat.at_rest(TRIES)
    assert (await chat.ask(TRIES, content)).status_code == 502
    await chat.settled(TRIES, before)


async def test_a_client_that_leaves_a_whole_answer(chat: Chat) -> None:
    """What the model has said for it is charged, and its slot is free.

    Its last word has more held: it is just counted, or about to be.
    """
    before = await chat.at_rest(TRIES)
    asking = asyncio.create_task(chat.ask(TRIES, f"say {GUESS + 1} then hang"))
    await chat.until_held(TRIES, before + 4 + GUESS + ADD)
    asking.cancel()
    await asyncio.wait([asking])
    assert await chat.at_rest(TRIES) - before - 4 in {GUESS, GUESS + 1}


async def test_a_client_that_never_reads(chat: Chat, gateway: Example) -> None:
    """It is given up when it has taken nothing for a while, and charged what was sent."""
    before = await chat.at_rest(TRIES)
    with closing(socket.create_connection(("127.0.0.1", gateway.http.number))) as deaf:
        body = json.dumps(call("say 300 of 100000", max_tokens=300, stream=True)).encode()
        head = {**bearer(TRIES), "host": "gateway", "content-length": str(len(body))}
        lines = [f"POST {PATH} HTTP/1.1", *(f"{name}: {it}" for name, it in head.items()), "", ""]
        deaf.sendall("\r\n".join(lines).encode() + body)
        await chat.until_held(TRIES, before + 4 + 300)
        assert before + 4 < await chat.at_rest(TRIES) < before + 4 + 300
