"""A slot for the time of a block, whoever asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.client.slots.slot import Slot, SlotWanted


class SlotBlock:
    """What is wanted, and how it is freed while it is held."""

    def __init__(self, wanted: SlotWanted) -> None:
        self._wanted = wanted
        self._free: Callable[[], None] | None = None

    def _require_free(self) -> None:
        if self._free is not None:
            raise RuntimeError(f"slot of {self._wanted.key!r}: it is held already, ask for another")

    def _got(self, slot: Slot) -> Slot:
        """Hold a slot, which nobody has to be told of if nobody gave it."""
        self._free = self._free or _nothing
        return slot

    def _leave(self) -> None:
        """Free it, if it is held."""
        free, self._free = self._free, None
        if free is not None:
            free()


def _nothing() -> None:
    """Free what isn't held anywhere."""
