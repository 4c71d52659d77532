"""A chart of bars from block characters: below what the limit let through, above it the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate_sidecar.demo.tally import Slot

LIMITED: Final = "green"
UNLIMITED: Final = "yellow"

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_EIGHTHS: Final = 8  # of a character's height
_MARGIN: Final = 7  # columns for the label
_BAR: Final = 2  # columns


def chart(slots: Sequence[Slot], refill: float, label: str, width: int, height: int) -> Text:
    """Draw one bar a slot, the latest at the right; the label stands where `refill` is."""
    slots = slots[-((width - _MARGIN) // _BAR) :]
    highest = max([slot.limited + slot.unlimited for slot in slots], default=0)
    scale = height * _EIGHTHS / max(highest, 1.5 * refill)
    labelled = int((refill * scale - 1) // _EIGHTHS)
    lines: list[Text] = []
    for row in reversed(range(height)):
        line = Text()
        line.append(f"{label if row == labelled else '':>{_MARGIN - 1}} ", "dim")
        for slot in slots:
            line.append(*_cell(slot, scale, row))
        lines.append(line)
    return Text("\n").join(lines)


def _cell(slot: Slot, scale: float, row: int) -> tuple[str, str]:
    """Return the character and the colour of one bar in one row, counted from below."""
    base = row * _EIGHTHS
    limited = round(slot.limited * scale) - base
    total = round((slot.limited + slot.unlimited) * scale) - base
    colour = LIMITED if min(limited, _EIGHTHS) * 2 >= min(total, _EIGHTHS) else UNLIMITED
    return _BLOCKS[max(0, min(total, _EIGHTHS))] * _BAR, colour
