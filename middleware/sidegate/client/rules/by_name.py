"""Checks by the name of a rule: `client.check(key, "@api")`, in loops and in threads.

The first ones of a process wait for the rules, within the budget.
"""

from __future__ import annotations

import time
from asyncio import ensure_future, get_running_loop, sleep
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from msgspec.structs import replace

from sidegate.buckets.limits import BY_NAME
from sidegate.client.checks import plain_key
from sidegate.errors import RuleNotInForce, shown
from sidegate.http.keys import bucket_key
from sidegate.http.rules import read_limits

if TYPE_CHECKING:
    from asyncio import Future

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.client.rules.pushed_rules import PushedRules
    from sidegate.ruleset.ruleset import RuleSet

LOOK_EVERY: Final = 0.002  # seconds, for the first rules of a process


class HasRules(Protocol):
    """A client, as far as it has rules."""

    def rules(self) -> RuleSet | None:
        """Return what is in force."""
        ...

    def watch_rules(self) -> PushedRules:
        """Return what has heard of them."""
        ...


class LoopClient(HasRules, Protocol):
    """A client of event loops."""

    def check(self, key: str, limits: Limits, cost: int) -> Future[Decision]:
        """Return the decision, within a budget."""
        ...


class ThreadClient(HasRules, Protocol):
    """A client of threads."""

    def check(self, key: str, limits: Limits, cost: int) -> Decision:
        """Return the decision, within a budget."""
        ...


class NamedCheck(NamedTuple):
    """What a caller wants checked: `name` begins with an @."""

    key: str
    name: str
    cost: int
    default: str | Limits | None


class FoundCheck(NamedTuple):
    """What to check for that, and whether a denial counts."""

    key: str
    limits: Limits
    cost: int
    is_enforced: bool


def in_loop(client: LoopClient, wanted: NamedCheck, budget: float) -> Future[Decision]:
    """Check by a name in the running loop; see `Client.check`."""
    rules, pushed = client.rules(), client.watch_rules()
    if rules is None and pushed.is_awaited:
        return ensure_future(_once_heard(client, wanted, budget))
    key, limits, cost, is_enforced = found_check(rules, wanted)
    future = client.check(key, limits, cost)
    return future if is_enforced else ensure_future(_let_through(future))


async def _once_heard(client: LoopClient, wanted: NamedCheck, budget: float) -> Decision:
    pushed, clock = client.watch_rules(), get_running_loop().time
    deadline = clock() + budget
    while pushed.is_awaited and clock() < deadline:  # noqa: ASYNC110 - a thread takes them over
        await sleep(LOOK_EVERY)
    pushed.is_awaited = False  # nobody waits once more: a check may take one budget
    return await in_loop(client, wanted, budget)


async def _let_through(future: Future[Decision]) -> Decision:
    return replace(await future, allowed=True)


def in_thread(client: ThreadClient, wanted: NamedCheck, budget: float) -> Decision:
    """Check by a name in a thread; see `BlockingClient.check`."""
    rules, pushed = client.rules(), client.watch_rules()
    if rules is None and pushed.is_awaited:
        deadline = time.monotonic() + budget
        while pushed.is_awaited and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)
        pushed.is_awaited = False
        rules = client.rules()
    key, limits, cost, is_enforced = found_check(rules, wanted)
    decision = client.check(key, limits, cost)
    return decision if is_enforced else replace(decision, allowed=True)


def found_check(rules: RuleSet | None, wanted: NamedCheck) -> FoundCheck:
    """Return what to ask. RuleNotInForce where there is neither a rule nor a default."""
    if not wanted.name.startswith(BY_NAME):
        raise ValueError(f"default={shown(wanted.default)}: belongs to limits='@NAME'")
    name, identity = wanted.name.removeprefix(BY_NAME), plain_key(wanted.key)
    rule = None if rules is None else rules.by_name.get(name)
    if rule is not None:
        asked = rule.question_of(identity)
        cost = wanted.cost * asked.cost
        return FoundCheck(asked.key, asked.rule.limits, cost, not asked.rule.shadow)
    if wanted.default is None:
        raise RuleNotInForce(name, [] if rules is None else list(rules.by_name))
    limits = read_limits(wanted.default, "default")
    return FoundCheck(bucket_key(name, identity), limits, wanted.cost, is_enforced=True)
