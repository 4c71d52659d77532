"""At hand: the checks that an event loop's session decides without asking anybody."""

from __future__ import annotations

from asyncio import get_running_loop
from typing import TYPE_CHECKING, TypeAlias

from sidegate.asgi.other_loops import AnyLoop
from sidegate.client.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits

    AtHand: TypeAlias = Callable[[str, Limits, int], Decision | None]
    """Key, limits and cost of a check, and its decision if that can be made at once."""


def at_hand(client: object) -> AtHand:
    """Return what decides as the client's `check` does, but only by what is known here.

    That is by a lease, or by a denial that holds; it costs no future, and nobody waits. It gives
    None, and has charged nothing, for any other check, and outside of the event loop that asked
    last: then `check` it. So it always does where checks are traced, since a span is made by
    `check`, and for clients that aren't ours, of which `check` is all that we know.
    """
    known = client.client if isinstance(client, AnyLoop) else client
    if type(known) is not Client or "check" in vars(known):
        return _nothing
    ours = known

    def decided(key: str, limits: Limits, cost: int) -> Decision | None:
        if (session := ours.latest) is None:
            return None
        try:
            if session.loop is not get_running_loop():
                return None
        except RuntimeError:  # it isn't asyncio's
            return None
        if session.leased and (made := session.spend(key, limits, cost)):
            return made
        return session.recall(key, limits, cost) if session.denied else None

    return decided


def _nothing(_key: str, _limits: Limits, _cost: int) -> None:
    """Decide nothing."""
