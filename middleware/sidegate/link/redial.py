"""When a link dials again: after a pause that doubles and is jittered, or at once.

At once where another sidecar may answer at the same address, when the connection breaks or its
sidecar says that it is going: but only once a second, so one that only ever hangs up is no worse
off than one that isn't there.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from math import inf
from random import uniform

FIRST_DELAY = 0.05  # seconds before the first redial; doubles up to the link's most
HURRY_EVERY = 1.0  # seconds between two dials without a pause


class Redial:
    """Says when to dial, to the one task that does; is told what became of each connection."""

    def __init__(self, max_delay: float, *, hurries: bool) -> None:
        self._max_delay = max_delay
        self._hurries = hurries
        self._delay = FIRST_DELAY
        self._clock = asyncio.get_running_loop().time
        self._hurried_at = -inf
        self._at_once = False  # is there a dial that checks wait for, or will there be one?
        self._is_left = False  # has the sidecar said that it is going?
        self._ending = asyncio.Event()  # the connection is lost, or its sidecar is going

    # --- what becomes of connections

    def up(self) -> None:
        """Handle that there is a new connection."""
        self._at_once = self._is_left = False
        self._ending.clear()

    def failed(self) -> None:
        """Handle that a dial came to nothing."""
        self._at_once = False

    def leaving(self) -> None:
        """Handle that the sidecar is going: from now on look for another one."""
        if self._hurries and not self._is_left:
            self._is_left = True
            self._hurry()
            self._ending.set()

    def lost(self) -> bool:
        """Handle that the connection is gone; are checks to wait for the next one?"""
        self._hurry()
        if self._at_once or not self._is_left:
            self._ending.set()
        return self._at_once

    def _hurry(self) -> None:
        now = self._clock()
        if self._hurries and now - self._hurried_at >= HURRY_EVERY:
            self._hurried_at, self._at_once = now, True

    # --- when to dial

    async def ended(self) -> None:
        """Wait until the connection is gone, or should be left for another one."""
        await self._ending.wait()
        if self._at_once or not self._is_left:
            self._delay = FIRST_DELAY

    async def pause(self) -> None:
        """Wait until it is time to dial."""
        if self._at_once:
            return
        self._ending.clear()
        with suppress(TimeoutError):
            jittered = uniform(self._delay / 2, self._delay)  # noqa: S311  # jitter, not a secret
            async with asyncio.timeout(jittered):
                await self._ending.wait()
        self._delay = min(self._delay * 2, self._max_delay)
