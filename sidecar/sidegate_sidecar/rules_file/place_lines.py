"""PlaceLines: on which line of a file each of its values stands. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidegate.ruleset.invalid import Path


class PlaceLines:
    """Lines, counted from 1, by the paths of values."""

    def __init__(self) -> None:
        self._lines: dict[Path, int] = {}

    def note(self, path: Path, line: int) -> None:
        """Keep the line of a value, the first that is noted."""
        self._lines.setdefault(path, line)

    def of(self, path: Path) -> int:
        """Return the line of a value, or of the nearest around it that has one."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)
