"""Wanting: keys and limits of a call as what is to be held, also by the name of a rule."""

from __future__ import annotations

import time
from asyncio import get_running_loop, sleep
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from sidegate.buckets.limits import BY_NAME, Limits
from sidegate.client.holds.wanted_hold import WantedHold, hold_options, tokens, wanted_hold
from sidegate.client.rules.by_name import LOOK_EVERY, NamedCheck, found_check
from sidegate.errors import shown
from sidegate.ruleset.canonical.fractions import fraction_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from sidegate.client.holds.wanted_hold import HoldOptions
    from sidegate.client.rules.by_name import FoundCheck, HasRules
    from sidegate.ruleset.ruleset import RuleSet

    Asked: TypeAlias = tuple[int, float, str | None, float]  # amount, ttl, id, max_fraction

MAX_KEYS: Final = 8  # of one reservation: each is asked about after the one before


def wanted_in_loop(
    client: HasRules, keys: Iterable[tuple[str, str | Limits]], asked: Asked, budget: float
) -> Sequence[Callable[[], Awaitable[WantedHold]]]:
    """Return what gives what is to be held, in a loop; what can't be asked raises at once."""
    return [
        partial(_named_in_loop, client, key, limits, hold, budget)
        if isinstance(hold, tuple)
        else partial(_ready, hold)
        for key, limits, hold in _read(keys, asked)
    ]


def wanted_in_thread(
    client: HasRules, keys: Iterable[tuple[str, str | Limits]], asked: Asked, budget: float
) -> Sequence[Callable[[], WantedHold]]:
    """Return what gives what is to be held, in a thread."""
    return [
        partial(_named_in_thread, client, key, limits, hold, budget)
        if isinstance(hold, tuple)
        else partial(_itself, hold)
        for key, limits, hold in _read(keys, asked)
    ]


def _read(
    keys: Iterable[tuple[str, str | Limits]], asked: Asked
) -> list[tuple[str, str, WantedHold | tuple[int, HoldOptions]]]:
    """Return each key, the text of its limits, and what is to be held; of a rule, how much."""
    amount, ttl, own, max_fraction = asked
    options, pairs = hold_options(ttl, own, max_fraction), list(keys)
    if not 1 <= len(pairs) <= MAX_KEYS:
        raise ValueError(f"keys={shown(keys)}: expected 1 to {MAX_KEYS}, not {len(pairs)}")
    read: list[tuple[str, str, WantedHold | tuple[int, HoldOptions]]] = []
    for key, limits in pairs:
        if isinstance(limits, str) and limits.startswith(BY_NAME):
            read.append((key, limits, (tokens(amount), options)))
        else:
            read.append((key, "", wanted_hold(key, limits, amount, options)))
    return read


async def _ready(hold: WantedHold) -> WantedHold:
    return hold


def _itself(hold: WantedHold) -> WantedHold:
    return hold


async def _named_in_loop(
    client: HasRules, key: str, name: str, hold: tuple[int, HoldOptions], budget: float
) -> WantedHold:
    rules, pushed = client.rules(), client.watch_rules()
    deadline = get_running_loop().time() + budget
    while rules is None and pushed.is_awaited and get_running_loop().time() < deadline:
        await sleep(LOOK_EVERY)
        rules = client.rules()
    return _of_rule(rules, key, name, hold)


def _named_in_thread(
    client: HasRules, key: str, name: str, hold: tuple[int, HoldOptions], budget: float
) -> WantedHold:
    rules, pushed = client.rules(), client.watch_rules()
    deadline = time.monotonic() + budget
    while rules is None and pushed.is_awaited and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
        rules = client.rules()
    return _of_rule(rules, key, name, hold)


def _of_rule(
    rules: RuleSet | None, key: str, name: str, hold: tuple[int, HoldOptions]
) -> WantedHold:
    """Return what is to be held by a rule in force. RuleNotInForce."""
    amount, options = hold
    found: FoundCheck = found_check(rules, NamedCheck(key, name, 1, None))
    assert rules is not None  # or there would be no such rule
    most = fraction_of(rules.by_name[name.removeprefix(BY_NAME)].entry.max_fraction)
    options = replace(options, max_fraction=min(options.max_fraction, most))
    wanted = wanted_hold(found.key, found.limits, amount, options)
    return wanted if found.is_enforced else wanted.in_shadow()
