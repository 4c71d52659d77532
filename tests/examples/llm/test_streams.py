"""Two hundred streams at once: what is charged is what was streamed, and nothing stays held."""

import asyncio
from collections import Counter
from collections.abc import Awaitable

from tests.examples.llm.chat import ADD, CROWD, GUESS, HUNGRY, Chat, Told

STREAMS = 200
WORDS = GUESS + 2 * ADD


async def test_a_budget_that_is_too_small_is_spent_to_its_last_add(chat: Chat) -> None:
    """Whoever asks for it, and whether they said how much: nobody gets more than is left.

    A stream begins with its prompt and one `add`, so less than that is left in the end.
    """
    said: list[dict[str, int]] = [{"max_tokens": WORDS}, {}]
    told = await asyncio.gather(
        *(chat.stream(HUNGRY, f"say {WORDS}", **said[at % 2]) for at in range(STREAMS))
    )
    used = sum(it.used for it in told)
    await chat.settled(HUNGRY, used)
    limit, prompt = 6000, 2
    assert limit - prompt - ADD < used <= limit
    assert Counter(it.status for it in told).keys() == {200, 429}
    streams = [it for it in told if it.status == 200]
    assert all(it.is_done for it in streams)
    whole = [it for it in streams if it.why == "stop"]
    assert {it.words for it in whole} == {WORDS}
    assert all(it.why == "length" and it.words < WORDS for it in streams if it not in whole)


async def test_what_was_streamed_is_charged_however_a_stream_ends(chat: Chat) -> None:
    """By its end, by a client that leaves, by a model server that breaks off or doesn't begin."""
    streams: list[Awaitable[Told]] = []
    for _ in range(STREAMS // 4):
        streams += [
            chat.stream(CROWD, "say 20", max_tokens=4000),
            chat.stream(CROWD, "say 20 then hang", leave_after=20),
            chat.stream(CROWD, "say 20 then fail", max_tokens=100),
            chat.stream(CROWD, "fail"),
        ]
    told = await asyncio.gather(*streams)
    ended = Counter((it.status, it.words, it.is_done, it.error.get("code")) for it in told)
    assert ended == {
        (200, 20, True, None): 50,
        (200, 20, False, None): 50,
        (200, 20, False, "upstream_error"): 50,
        (502, 0, False, "upstream_error"): 50,
    }
    await chat.settled(CROWD, sum(it.used for it in told))
