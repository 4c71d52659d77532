"""Our client, to a sidecar that owns the key and to one that must ask the owner."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from bench.contenders.owned import keys_of, owned_by
from bench.lab.fleet import fleet
from bench.lab.sidecars import BUDGET
from sidegate import Client

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from bench.contenders.contender import Contender

ONE_HOP: Final = "sidegate, owner"
TWO_HOPS: Final = "sidegate, forwarded"

_NEAR: Final = "near"
_FAR: Final = "far"
_NODES: Final = (_NEAR, _FAR)
_NOTE: Final = "sidegate.Client on uvloop, unix socket to one of two sidecars, "


@asynccontextmanager
async def sidegate_clients(folder: Path) -> AsyncGenerator[list[Contender]]:
    """Offer both as contenders for as long as the block: the same link, but other keys."""
    async with (
        fleet(folder, *_NODES) as nodes,
        Client(nodes.nodes[_NEAR].address, budget=BUDGET, lease=False) as client,
    ):
        near, far = (keys_of(name, _NODES) for name in _NODES)
        yield [
            await owned_by(_NEAR, client, near, ONE_HOP, f"{_NOTE}all keys its own"),
            await owned_by(
                _FAR, client, far, TWO_HOPS, f"{_NOTE}all keys the other's (TCP between)"
            ),
        ]
