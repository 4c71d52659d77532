"""A chart of bars from block characters: each of them has a lower part and one on top of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_EIGHTHS: Final = 8  # of a character's height
_MARGIN: Final = 7  # columns for the label
_BAR: Final = 2  # columns


def chart(
    bars: Sequence[tuple[int, int]],
    colours: tuple[str, str],
    level: float,
    label: str,
    size: tuple[int, int],
) -> Text:
    """Draw bars of two parts in two colours, the latest at the right, into (width, height).

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


def _cell(
    bar: tuple[int, int], colours: tuple[str, str], scale: float, row: int
) -> tuple[str, str]:
    """Return the character and the colour of one bar in one row, counted from below."""
    base = row * _EIGHTHS
    lower = round(bar[0] * scale) - base
    total = round(sum(bar) * scale) - base
    is_lower = min(lower, _EIGHTHS) * 2 >= min(total, _EIGHTHS)
    return _BLOCKS[max(0, min(total, _EIGHTHS))] * _BAR, colours[0 if is_lower else 1]
