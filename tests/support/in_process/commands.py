"""The command run in this process: how it ended, and what it said."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Ending:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line that says what is wrong."""
        assert self.out == ""
        assert self.err.startswith("sidegate: "), self.err
        assert self.err.count("\n") == 1, self.err
        return self.err


class Run(Protocol):
    """Runs the command with these arguments, and returns how it ended."""

    def __call__(self, *arguments: str) -> Ending:
        """Run it to its end."""
        ...
