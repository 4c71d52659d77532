"""Work in slices, done at once."""

from collections.abc import Generator
from typing import TypeVar

Made = TypeVar("Made")


def finished(steps: Generator[object, None, Made]) -> Made:
    """Take all steps, and return what they make."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            made: Made = done.value
            return made
