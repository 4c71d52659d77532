"""InvalidValue: one place of a rules file that can't be used, and why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec

from sidegate.errors import SidegateError, quoted, shown

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")
V = TypeVar("V")

Path: TypeAlias = tuple[str | int, ...]

MAX_INVALID = 100  # are told of: more are the same mistake again

_PLAIN = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)


class InvalidValue(msgspec.Struct, frozen=True):
    """Where it is, what stands there, and what was expected, in words that name the value."""

    path: Path
    value: object
    why: str

    def __str__(self) -> str:
        return f"{path_text(self.path)}: {self.why}"


class RulesError(SidegateError, ValueError):
    """A rules file that can't be used: the fault of whoever wrote it. `invalid` has each place."""

    def __init__(self, invalid: tuple[InvalidValue, ...]) -> None:
        super().__init__(invalid)
        self.invalid = invalid

    def __str__(self) -> str:
        return "\n".join(map(str, self.invalid))


class InvalidValues:
    """Collects what is wrong with a file, so that one look at it tells of all."""

    def __init__(self) -> None:
        self.found: list[InvalidValue] = []

    def add(self, path: Path, value: object, expected: str) -> None:
        """Add a value in whose place something else was expected."""
        found = "nothing" if value is None else shown(value)
        self._add(path, value, f"{found}: expected {expected}")

    def _add(self, path: Path, value: object, why: str) -> None:
        if len(self.found) < MAX_INVALID:
            self.found.append(InvalidValue(path, value, why))

    def read(self, path: Path, value: V, reader: Callable[[V], R], option: str = "") -> R | None:
        """Return what a reader makes of a value; None if it raises ValueError, which is added.

        Its text may begin with the name of an option.
        """
        try:
            return reader(value)
        except ValueError as error:
            why = str(error).removeprefix(f"{option}=").removeprefix(f"{option}: ")
            self._add(path, value, why)
            return None

    def require_none(self) -> None:
        """Raise RulesError if there are any."""
        if self.found:
            raise RulesError(tuple(self.found))


def path_text(path: Path) -> str:
    """Return a path as people read it, such as `rules[1].match.path`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{quoted(step)}]"
    return text or "the file"
