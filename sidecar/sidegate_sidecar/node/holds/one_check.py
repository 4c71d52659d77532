"""One check, in the place of a forward: for what a node decides itself. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.protocol.messages import Check


class OneCheck(NamedTuple):
    """A check under the serial by which all nodes know it."""

    serial: int
    check: Check

    @property
    def checks(self) -> list[Check]:
        """It alone."""
        return [self.check]

    @property
    def places(self) -> None:
        """None: in order."""
        return

    def each(self) -> Iterable[tuple[Check, int]]:
        """Return it with its place."""
        return ((self.check, 0),)
