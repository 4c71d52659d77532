"""What is wrong with a YAML file: where, which value, and what was expected. Pure."""

from __future__ import annotations

from sidegate.errors import SidegateError, shown


class YamlFileError(SidegateError, ValueError):
    """A file that can't be used: the fault of whoever wrote it.

    `line` counts from 1, 0 for the whole file; `path` is as in `descriptors[0].rate_limit.unit`,
    empty for the whole document; `value` is None where none is to be shown.
    """

    def __init__(self, line: int, path: str, value: object, expected: str, file: str = "") -> None:
        super().__init__(line, path, value, expected, file)
        self.line = line
        self.path = path
        self.value = value
        self.expected = expected
        self.file = file

    def within(self, file: str) -> YamlFileError:
        """Return the same fault with the name of its file."""
        return YamlFileError(self.line, self.path, self.value, self.expected, file)

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line) if part)
        what = self.path if self.value is None else f"{self.path} {shown(self.value)}".strip()
        return ": ".join(part for part in (where, what, self.expected) if part)
