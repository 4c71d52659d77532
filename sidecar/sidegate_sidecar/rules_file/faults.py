"""UnusableText: why a text is no YAML, no TOML, or too much of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sidegate.ruleset.invalid import Path

MAX_BYTES: Final = 512 * 1024  # of a file: 10,000 overrides; a ConfigMap holds twice as much
MAX_DEPTH: Final = 16  # the deepest there is has 5
MAX_VALUES: Final = 100_000  # names count too, and what an alias stands for each time
MAX_ALIASES: Final = 1_000


class UnusableText(ValueError):  # noqa: N818  # named for what a person wrote
    """A text that can't be read: where, and why."""

    def __init__(self, line: int, why: str, path: Path = ()) -> None:
        super().__init__(line, why, path)
        self.line = line
        self.why = why
        self.path = path

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}"
