"""A walk through all buckets of this node for somebody who asks: in slices, checks go first."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidegate.protocol.key_ranking import KeyRanking
    from sidegate_sidecar.node.node import Node

PIECE = 256  # keys between two looks at the clock: 0.02 ms, or 0.5 where all are ranked
LEAST = 0.0003  # seconds of a slice
MOST = 0.001
SHARE = 0.25  # of the time that others took since the last slice


async def walk(node: Node, ranking: KeyRanking, within: float) -> bool:
    """Have all keys of a node ranked; False if time was up before (seconds).

    A slice is the longer, the longer the turns of the loop are: so a walk through a million keys
    is over within 200 ms, also where turns are full of checks.
    """
    pieces = node.buckets.keys(PIECE)
    ended = perf_counter()
    until = ended + within
    while True:
        began = perf_counter()
        slice_ends = began + min(max((began - ended) * SHARE, LEAST), MOST)
        while perf_counter() < slice_ends:
            if (piece := next(pieces, None)) is None:
                return True
            ranking.add(*piece, node.clock())
        ended = perf_counter()
        if ended > until:
            return False
        await asyncio.sleep(0)
