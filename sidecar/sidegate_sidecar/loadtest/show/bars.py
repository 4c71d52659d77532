"""A chart of bars from block characters: each of them has parts, one on top of another."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_EIGHTHS: Final = 8  # of a character's height
_MARGIN: Final = 7  # columns for the label
_BAR: Final = 2  # columns


def chart(
    bars: Sequence[Sequence[int]],
    colours: Sequence[str],
    level: float,
    label: str,
    size: tuple[int, int],
) -> Text:
    """Draw bars, each part in its colour, the latest at the right, into (width, height).

    The label stands where `level` is, which is always in sight.
    """
    width, height = size
    bars = bars[-((width - _MARGIN) // _BAR) :]
    highest = max(map(sum, bars), default=0)
    scale = height * _EIGHTHS / max(highest, 1.5 * level)
    labelled = int((level * scale - 1) // _EIGHTHS)
    lines: list[Text] = []
    for row in reversed(range(height)):
        line = Text()
        line.append(f"{label if row == labelled else '':>{_MARGIN - 1}} ", "dim")
        for bar in bars:
            line.append(*_cell(bar, colours, scale, row))
        lines.append(line)
    return Text("\n").join(lines)


def _cell(bar: Sequence[int], colours: Sequence[str], scale: float, row: int) -> tuple[str, str]:
    """Return the character of one bar in one row from below, and the colour in its middle."""
    tops = [round(top * scale) - row * _EIGHTHS for top in accumulate(bar)]
    filled = max(0, min(tops[-1], _EIGHTHS))
    middle = (colour for top, colour in zip(tops, colours, strict=True) if top * 2 >= filled)
    return _BLOCKS[filled] * _BAR, next(middle, colours[-1])
