"""Plot: axes with units, lines, bars and marks as SVG, coloured by page.css. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH: Final = 880
HEIGHT: Final = 300
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 24, 44  # margins: labels of the axes, and of marks above
MAX_LABELS: Final = 8  # of marks: more of them would lie on top of each other


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis: what it shows, from where to where, and the values that are labelled."""

    title: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    log: bool = False

    def place(self, value: float) -> float:
        """Return where a value lies: 0 at the low end, 1 at the high one, never beyond."""
        if self.log:
            share = log10(max(value, self.low) / self.low) / log10(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(max(share, 0.0), 1.0)


def linear(title: str, high: float) -> Axis:
    """Return an axis from 0 to a round value from `high` on."""
    high = max(high, 1e-9)
    power = 10.0 ** floor(log10(high / 5))
    step = next(times * power for times in (1, 2, 5, 10) if high / (times * power) <= 6)
    count = ceil(high / step - 1e-9)
    return Axis(title, 0, count * step, [(at * step, f"{at * step:,g}") for at in range(count + 1)])


def seconds(high: float) -> Axis:
    """Return the axis of time, which ends where the run does."""
    ticks = [tick for tick in linear("", high).ticks if tick[0] <= high]
    return Axis("seconds since the start", 0, high, ticks)


def logarithmic(title: str, values: Iterable[float]) -> Axis:
    """Return an axis of whole decades, or parts of 1, 2 and 5 of them, around positive values."""
    found = [value for value in values if value > 0] or [1.0]
    steps = [times * 10.0**power for power in range(-3, 6) for times in (1, 2, 5)]
    low = max([step for step in steps if step <= min(found)], default=steps[0])
    high = min([step for step in steps if step >= max(found) and step > low], default=steps[-1])
    ticks = [(step, f"{step:,g}") for step in steps if low <= step <= high]
    return Axis(title, low, high, ticks, log=True)


class Plot:
    """One plot; what is drawn later lies on top."""

    def __init__(self, title: str, across: Axis, up: Axis) -> None:
        self._title = title
        self._across = across
        self._up = up
        self._parts: list[str] = [*self._grid()]

    def x(self, value: float) -> float:
        """Return the place of a value across, in units of the drawing."""
        return round(LEFT + self._across.place(value) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        """Return the height of a value, in units of the drawing from above."""
        return round(HEIGHT - BOTTOM - self._up.place(value) * (HEIGHT - TOP - BOTTOM), 1)

    def line(self, points: Iterable[tuple[float, float | None]], colour: str, title: str) -> None:
        """Draw a line; a value of None is a gap in it."""
        path: list[str] = []
        pen = "M"
        for across, up in points:
            if up is None:
                pen = "M"
                continue
            path.append(f"{pen}{self.x(across)} {self.y(up)}")
            pen = "L"
        self._parts.append(
            f'<path class="line {colour}" d="{"".join(path)}"><title>{escape(title)}</title></path>'
        )

    def bar(self, span: tuple[float, float], part: tuple[float, float], colour: str) -> None:
        """Draw a part of a bar, from a value to another one, over a span of the axis across."""
        left, right, top, bottom = *map(self.x, span), self.y(part[1]), self.y(part[0])
        size = f'width="{max(right - left - 0.6, 0.6):.1f}" height="{bottom - top:.1f}"'
        self._parts.append(f'<rect class="bar {colour}" x="{left}" y="{top}" {size}/>')

    def band(self, begin: float, end: float, title: str) -> None:
        """Shade a span of the axis across."""
        left, right = self.x(begin), self.x(end)
        size = f'width="{max(right - left, 1):.1f}" height="{HEIGHT - TOP - BOTTOM}"'
        self._parts.append(
            f'<rect class="band" x="{left}" y="{TOP}" {size}><title>{escape(title)}</title></rect>'
        )

    def mark(self, at: float, label: str) -> None:
        """Draw a labelled line upwards."""
        x = self.x(at)
        anchor = "start" if x < WIDTH * 0.85 else "end"
        self._parts.append(
            f'<line class="mark" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{HEIGHT - BOTTOM}"/>'
            f'<text class="mark" x="{x}" y="{TOP - 10}" text-anchor="{anchor}">'
            f"{escape(label)}</text>"
        )

    def svg(self) -> str:
        """Return the drawing."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self._title)}">'
            f"{''.join(self._parts)}</svg>"
        )

    def _grid(self) -> Iterable[str]:
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        for value, label in self._up.ticks:
            y = self.y(value)
            yield f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y}" y2="{y}"/>'
            yield f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{label}</text>'
        for value, label in self._across.ticks:
            x = self.x(value)
            yield f'<line class="grid" x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 5}"/>'
            yield f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{label}</text>'
        middle = (LEFT + right) / 2
        yield f'<text class="axis" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">'
        yield f"{escape(self._across.title)}</text>"
        yield f'<text class="axis" transform="translate(14 {(TOP + bottom) / 2}) rotate(-90)"'
        yield f' text-anchor="middle">{escape(self._up.title)}</text>'


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """Return what colours mean: pairs of colour and text."""
    shown = (f'<li><i class="{colour}"></i>{escape(text)}</li>' for colour, text in entries)
    return f'<ul class="legend">{"".join(shown)}</ul>'
