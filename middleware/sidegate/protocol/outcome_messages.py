"""Outcomes: what apps have decided without a sidecar, as they tell it. Pure."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

MAX_OUTCOMES = 264  # keys in a frame, and what is beyond them of each source and verdict

OUTCOMES = ("open", "closed", "local", "key-error")
"""Decided by `on_unreachable` or by the process's share; or the rule's key function failed."""

_Many: TypeAlias = Annotated[int, Meta(ge=1, le=10**9)]

KeyOutcome: TypeAlias = tuple[
    str | None, str, Annotated[int, Meta(ge=0, le=1)], _Many, Annotated[int, Meta(ge=0)]
]
"""(key, source, allowed, checks, tokens charged): nil as the key is all keys beyond those told."""


class Outcomes(Struct, array_like=True, frozen=True, tag=18):
    """What an app has decided without a sidecar since it last said so. Not answered.

    Each outcome is one of OUTCOMES, with how often it came; `keys` is the same for reports. At most
    once a second. A node passes on (`hops` 1) what is about keys of another one.
    """

    counts: Annotated[list[tuple[str, Annotated[int, Meta(ge=0)]]], Meta(max_length=16)]
    keys: Annotated[list[KeyOutcome], Meta(max_length=MAX_OUTCOMES)] = []
    hops: Annotated[int, Meta(ge=0)] = 0
