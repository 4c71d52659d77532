"""Standings: how all nodes stand, each asked for its own word."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sidegate.protocol.standing_messages import Standing, StandingQuery
from sidegate_sidecar.cluster.standing import standing_of
from sidegate_sidecar.links.reporting.gathering import WITHIN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate_sidecar.sidecar import Sidecar


async def standings(sidecar: Sidecar, names: Iterable[str]) -> dict[str, Standing]:
    """Return how this node stands, and those of these others that answer.

    One of an older release isn't asked.
    """
    others = list(names)
    answers = await asyncio.gather(*(_ask(sidecar, name) for name in others))
    found = {name: it for name, it in zip(others, answers, strict=True) if it is not None}
    return {sidecar.config.name: standing_of(sidecar.cluster), **found}


async def _ask(sidecar: Sidecar, name: str) -> Standing | None:
    link = sidecar.peers.link_to(name)
    answer = await link.inquire(StandingQuery, WITHIN) if link is not None else None
    return answer if isinstance(answer, Standing) else None
