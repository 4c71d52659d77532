"""What the gateway refuses, and in which words: those that clients of such APIs parse."""

import re
from importlib import import_module
from signal import SIGTERM

import pytest

from tests.examples.llm.chat import EXAMPLE, NARROW, RARE, SMALL, TINY, TRIES, Chat
from tests.examples.llm.conftest import Example
from tests.support.processes.services import until

problems = import_module(f"{EXAMPLE}.problems")
TIME = re.compile(r"(\d+h)?(\d+m)?[\d.]+s|\d+ms")
UNITS = ("requests", "tokens")
NAMES = ("limit", "remaining", "reset")


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0ms"),
        (0.0001, "1ms"),
        (0.009, "9ms"),
        (0.9991, "1s"),
        (1, "1s"),
        (8.64, "8.64s"),
        (59.9999, "1m0s"),
        (360, "6m0s"),
        (3600, "1h0m0s"),
        (90_061.5, "25h1m1.5s"),
    ],
)
def test_times_are_written_as_clients_read_them(seconds: float, written: str) -> None:
    assert problems.duration(seconds) == written


async def test_a_response_says_what_is_left(chat: Chat) -> None:
    """Of requests and of tokens, when it began: what may be used is off already."""
    told = await chat.stream(RARE, "say 3", max_tokens=100)
    fields = {unit: [told.fields[f"x-ratelimit-{it}-{unit}"] for it in NAMES] for unit in UNITS}
    assert fields["requests"][:2] == ["3", "2"]
    assert fields["tokens"][:2] == ["20000", "19898"]
    assert all(TIME.fullmatch(reset) for *_, reset in fields.values())
    for _ in range(2):
        assert (await chat.ask(RARE, "say 1")).is_success
    refused = await chat.ask(RARE, "say 1")
    assert (refused.status_code, refused.headers["x-ratelimit-remaining-requests"]) == (429, "0")
    assert 0 < int(refused.headers["retry-after"]) <= 1200
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert re.search(r"Please try again in (1[89]|20)m[\d.]+s\.$", error["message"])


async def test_tokens_that_are_spent_come_back(chat: Chat) -> None:
    """An answer gets what is left and is cut short; then 429 says when an answer can begin."""
    told = await chat.stream(SMALL, "say 500")  # of 100 an hour
    assert (told.status, told.why, told.is_done) == (200, "length", True)
    assert 100 - 32 < told.used <= 100
    await chat.settled(SMALL, told.used)
    refused = await chat.ask(SMALL, "say 500")
    fields = refused.headers
    assert (refused.status_code, fields["x-ratelimit-limit-tokens"]) == (429, "100")
    assert int(fields["x-ratelimit-remaining-tokens"]) in {100 - told.used, 101 - told.used}
    assert 0 < int(fields["retry-after"]) <= (2 + 32) * 36


async def test_a_prompt_that_no_limit_will_ever_have_room_for(chat: Chat) -> None:
    """It isn't told to try again."""
    refused = await chat.ask(TINY, "w " * 60 + "say 1")
    assert (refused.status_code, "retry-after" in refused.headers) == (400, False)
    assert refused.json()["error"] == {
        "message": "messages: 62 tokens, and at most 50 may be held",
        "type": "invalid_request_error",
        "param": None,
        "code": "context_length_exceeded",
    }
    await chat.settled(TINY, 0)


async def test_so_many_streams_of_a_key_run_at_a_time(chat: Chat) -> None:
    """Until they have ended: the one that is left is free at once."""
    async with (
        chat.hanging(NARROW, "say 5 then hang") as (first, _),
        chat.hanging(NARROW, "say 5 then hang"),
    ):
        refused = await chat.ask(NARROW, "say 1")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        error = refused.json()["error"]
        assert error["message"] == "Too many requests in flight: 2 of 2 are running."
        await first.aclose()
        await chat.until_admitted(NARROW)
    await chat.settled(NARROW, 9 + 9 + 3)


async def test_an_end_of_the_gateway_charges_what_was_streamed(
    chat: Chat, gateway: Example
) -> None:
    """It has a second to end its streams, and then cancels them."""
    before = await chat.at_rest(TRIES)
    async with chat.hanging(TRIES, "say 30 then hang"):
        gateway.send(SIGTERM)
        until(lambda: gateway.exit_code is not None)
    await chat.settled(TRIES, before + 4 + 30)
    gateway.restart()
