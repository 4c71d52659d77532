"""The budget of a call: what it holds while it runs, and what stays charged."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final, Protocol

from sidegate import Client, Decision, NoSlot

from .calls import Call
from .problems import bad_request, fields_of, limited, too_many
from .settings import Account

ADD: Final = 32  # tokens that a stream asks for when it has used what it holds
MAX_FRACTION: Final = 0.5  # of a limit for one call, whatever it asks for
STREAM_SECONDS: Final = 600  # in which a call has to end
HELD_SECONDS: Final = STREAM_SECONDS + 60  # the last net: for what a gateway that died has held
MAX_USAGE: Final = 10_000_000  # tokens that a model server may say a call has used


class Held(Protocol):
    """A reservation, as `client.reserve` gives it."""

    @property
    def held(self) -> int:
        """How many tokens may be used."""
        ...

    async def add(self, amount: int) -> bool:
        """Hold so many more; tell whether they are."""
        ...


class Meter:
    """Counts the tokens that a call uses, each of which is held before. `fields` tell what is left.

    `used` stays charged, whatever ends the call: 0 until the model server has taken it.
    """

    def __init__(self, held: Held, prompt: int) -> None:
        self.prompt = prompt
        self.output = 0
        self.used = 0
        self.fields: dict[str, str] = {}
        self._held = held

    @property
    def held(self) -> int:
        """How many tokens are held."""
        return self._held.held

    def accepted(self) -> None:
        """Count the prompt: the model server has it."""
        self.used = self.prompt

    async def take(self, tokens: int) -> bool:
        """Count tokens of the answer, and hold more if need be; tell whether they are to be had."""
        more = self.prompt + self.output + tokens - self.held
        if more > 0 and not await self._held.add(max(more, ADD)):
            return False
        self.output += tokens
        self.used = self.prompt + self.output
        return True

    def settle(self, total: int) -> None:
        """Count what the model server says it was."""
        self.used = min(total, MAX_USAGE)

    def waive(self) -> None:
        """Count nothing: nobody has got anything."""
        self.used = 0


@asynccontextmanager
async def admitted(client: Client, account: Account, call: Call) -> AsyncGenerator[Meter]:
    """Hold a slot and tokens for a block that runs one call. Problem.

    Requests come first, and are charged for those that are refused as well: so who asks again and
    again is told by this process alone.
    """
    of = f"{call.model}:{account.name}"
    requests = await client.check(f"requests:{of}", account.requests)
    fields = fields_of("requests", requests)
    if not requests.allowed:
        raise limited("requests", requests, fields)
    async with AsyncExitStack() as until_the_end:
        slot = client.slot(f"in-flight:{account.name}", account.in_flight, ttl=HELD_SECONDS)
        try:
            await until_the_end.enter_async_context(slot)
        except NoSlot as full:
            raise too_many(full) from None
        meter, decision = await _reserved(until_the_end, client, f"tokens:{of}", account, call)
        fields |= fields_of("tokens", decision)
        if meter is None:
            raise limited("tokens", decision, fields)
        if meter.held <= call.prompt_tokens:
            message = f"messages: {call.prompt_tokens} tokens, and at most {meter.held} may be held"
            raise bad_request("context_length_exceeded", message)
        meter.fields = fields
        yield meter


async def _reserved(
    until_the_end: AsyncExitStack, client: Client, key: str, account: Account, call: Call
) -> tuple[Meter | None, Decision]:
    """Reserve the estimate, or where that doesn't fit what an answer can begin with."""
    of_the_prompt = call.prompt_tokens
    reserve = partial(_metered, client, key, account.tokens, of_the_prompt)
    meter, decision = await until_the_end.enter_async_context(reserve(call.estimate))
    if meter is None and of_the_prompt + ADD < call.estimate:
        start = reserve(of_the_prompt + ADD)
        meter, decision = await until_the_end.enter_async_context(start)
    return meter, decision


@asynccontextmanager
async def _metered(
    client: Client, key: str, limits: str, prompt: int, amount: int
) -> AsyncGenerator[tuple[Meter | None, Decision]]:
    """Reserve an amount for a block, and commit what its meter has counted, whatever ends it.

    The reservation is left as if nothing had been raised: an exception would commit 0, and a client
    that goes in the middle, or a gateway that is ended, has used what was counted.
    """
    reserving = client.reserve(key, limits, amount, ttl=HELD_SECONDS, max_fraction=MAX_FRACTION)
    held = await reserving.__aenter__()
    assert reserving.decision is not None, "it was decided"
    if held is None:
        yield None, reserving.decision
        return
    meter = Meter(held, prompt)
    try:
        yield meter, reserving.decision
    finally:
        held.actual = meter.used
        await reserving.__aexit__(None, None, None)
