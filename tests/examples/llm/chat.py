"""A chat with the gateway: its accounts, what is asked, and what came of it."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

import httpx2

from sidegate import Client
from tests.support.in_process.cluster import eventually_answered

# By name: a type checker takes `examples` for this folder's parent.
EXAMPLE: Final = "examples.llm_gateway"
ADD: int = import_module(f"{EXAMPLE}.budget").ADD  # tokens that it asks for at a time
GUESS: int = import_module(f"{EXAMPLE}.calls").GUESS  # where a client doesn't say how many
PATH: Final = "/v1/chat/completions"
MODEL: Final = "parrot"


@dataclass(frozen=True)
class Plan:
    """An account of the gateway; its limits refill in no test."""

    name: str
    tokens: str = "100000/year window"
    requests: str = "100000/year window"
    in_flight: int = 500

    @property
    def key(self) -> str:
        """Its API key."""
        return f"sk-{self.name}"


HUNGRY: Final = Plan("hungry", "6000/year window")
CROWD: Final = Plan("crowd", "1000000/year window")
NARROW: Final = Plan("narrow", in_flight=2)
RARE: Final = Plan("rare", "20000/minute; 1000000/year window", "3/hour")
SMALL: Final = Plan("small", "100/hour; 1000/year window")
TINY: Final = Plan("tiny", "100/hour")
TRIES: Final = Plan("tries")
ACCOUNTS: Final = (HUNGRY, CROWD, NARROW, RARE, SMALL, TINY, TRIES)


@dataclass
class Told:
    """What a client was told by a response."""

    status: int
    fields: httpx2.Headers
    prompt: int
    words: int = 0
    why: str | None = None  # it ended
    usage: dict[str, int] | None = None
    error: dict[str, Any] = field(default_factory=dict[str, Any])
    is_done: bool = False

    @property
    def used(self) -> int:
        """How many tokens it has got, with those of the prompt."""
        return self.prompt + self.words if self.words else 0

    def read(self, line: str) -> None:
        """Read a line of a stream."""
        if line == "data: [DONE]":
            self.is_done = True
        elif line:
            event = json.loads(line.removeprefix("data: "))
            self.error = event.get("error", {})
            self.usage = event.get("usage")
            for choice in event.get("choices", []):
                self.words += len(choice["delta"].get("content", "").split())
                self.why = choice["finish_reason"]


class Chat:
    """Asks the gateway, and its sidecar what is charged and held."""

    def __init__(self, http: httpx2.AsyncClient, limits: Client) -> None:
        self.http = http
        self.limits = limits

    async def ask(self, plan: Plan, content: str, **more: Any) -> httpx2.Response:
        """Ask, and wait for the whole answer."""
        return await self.http.post(PATH, json=call(content, **more), headers=bearer(plan))

    async def stream(
        self, plan: Plan, content: str, leave_after: int | None = None, **more: Any
    ) -> Told:
        """Ask for a stream, and read it: to its end, or so many words."""
        asked = call(content, stream=True, **more)
        async with self.http.stream("POST", PATH, json=asked, headers=bearer(plan)) as response:
            told = Told(response.status_code, response.headers, len(content.split()))
            if not response.is_success:
                await response.aread()
                told.error = response.json()["error"]
                return told
            async for line in response.aiter_lines():
                told.read(line)
                if told.words == leave_after:
                    break
            return told

    @asynccontextmanager
    async def hanging(
        self, plan: Plan, content: str
    ) -> AsyncGenerator[tuple[httpx2.Response, Told]]:
        """Give a stream that says nothing more, once it has said what it says; close it then."""
        asked = call(content, stream=True)
        wanted = int(content.split()[1])
        async with self.http.stream("POST", PATH, json=asked, headers=bearer(plan)) as response:
            told = Told(response.status_code, response.headers, len(content.split()))
            lines = response.aiter_lines()
            while told.words < wanted:
                told.read(await anext(lines))
            yield response, told

    async def until_admitted(self, plan: Plan) -> None:
        """Ask until there is an answer, of one word."""
        await eventually_answered(lambda: self.ask(plan, "say 1"), lambda it: it.is_success)

    async def spent(self, plan: Plan) -> int:
        """Return how many tokens are charged, of those that are held as well."""
        return max((await self.limits.peek(f"tokens:{MODEL}:{plan.name}")).values(), default=0)

    async def until_held(self, plan: Plan, tokens: int) -> None:
        """Wait until so many tokens are charged."""
        await eventually_answered(lambda: self.spent(plan), lambda spent: spent == tokens)

    async def at_rest(self, plan: Plan) -> int:
        """Return how many tokens are charged once no call runs.

        Then a slot is to be had of which there is only one; a call frees its own last.
        """
        async with self.limits.slot(f"in-flight:{plan.name}", at_most=1, timeout=20) as slot:
            assert (slot.in_flight, slot.source) == (1, "owner")
        return await self.spent(plan)

    async def settled(self, plan: Plan, tokens: int) -> None:
        """Fail unless so many tokens are charged once no call runs."""
        assert await self.at_rest(plan) == tokens


def call(content: str, **more: Any) -> dict[str, Any]:
    """Return the body of a request."""
    return {"model": MODEL, "messages": [{"role": "user", "content": content}], **more}


def bearer(plan: Plan) -> dict[str, str]:
    """Return the field that says whose key it is."""
    return {"authorization": f"Bearer {plan.key}"}
