"""Block: a piece of code on a page of the documentation, and what is to be done with it."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_PYTHON: Final = re.compile(
    r"^<!-- run\n(?P<hidden>.*?)^-->"
    r"|(?:^<!-- not run: (?P<why>[^\n]*?) -->\n+)?^ *```python\n(?P<shown>.*?)^ *```",
    re.MULTILINE | re.DOTALL,
)
_FILE: Final = re.compile(r"# ([\w/]+\.py)\n")


@dataclass(frozen=True)
class Block:
    """Python on a page: shown to readers, or hidden in a comment for what they have already."""

    text: str
    line: int  # of the page, of its first line
    file: str | None  # that it is, as its first line says
    why_not: str | None = None  # it isn't run


def pages(*patterns: str) -> list[str]:
    """Return the pages that match, by their path from the root."""
    found = (it for pattern in patterns for it in ROOT.glob(pattern) if it.is_file())
    return sorted({str(it.relative_to(ROOT)) for it in found})


def python_blocks(page: str) -> Iterator[Block]:
    """Yield a page's blocks of Python, hidden ones too, in their order."""
    whole = (ROOT / page).read_text("utf-8")
    for found in _PYTHON.finditer(whole):
        kind = "shown" if found["hidden"] is None else "hidden"
        line = whole.count("\n", 0, found.start(kind)) + 1
        text = textwrap.dedent(found[kind])
        named = _FILE.match(text)
        yield Block(text, line, named[1] if named else None, found["why"])
