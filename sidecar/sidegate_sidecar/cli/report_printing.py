"""How a report looks in a terminal: a line about all of it, and a table of keys."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.live import Live
from rich.text import Text

from sidegate_sidecar.cli.printing import console_of, duration, table_of
from sidegate_sidecar.errors import Failure
from sidegate_sidecar.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import Console, RenderableType

    Answer = Mapping[str, Any]

REDRAW_EVERY: Final = 1.0  # seconds
_HEADS: Final = ("KEY", "RULE", "NODE", "ASKED", "DENIED", "OFF BY")
_OTHER_LINES: Final = 5  # of a frame beside its rows


def print_report(answer: Answer) -> None:
    """Print a report once."""
    console = console_of()
    for part in _parts(answer, console):
        console.print(part, soft_wrap=True)


def watch(ask: Callable[[], Answer]) -> None:
    """Draw a report anew each second until Ctrl-C; without an answer, why there is none.

    The first one must be answered.
    """
    console = console_of()
    answer, trouble = ask(), ""
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(_frame(answer, trouble, console), refresh=True)
                time.sleep(REDRAW_EVERY)
                try:
                    answer, trouble = ask(), ""
                except Failure as failure:  # it may come back
                    trouble = failure.text
    except KeyboardInterrupt:
        return


def _frame(answer: Answer, trouble: str, console: Console) -> RenderableType:
    most = max(console.size.height - _OTHER_LINES, 1)
    parts = _parts({**answer, "rows": answer["rows"][:most]}, console)
    return Group(*parts, Text(trouble, style="red")) if trouble else Group(*parts)


def _parts(answer: Answer, console: Console) -> list[RenderableType]:
    if not answer["rows"]:
        return [_heading(answer)]
    rows = [_row(row) for row in answer["rows"]]
    return [_heading(answer), table_of(console, _HEADS, rows, right="ASKED, DENIED, OFF BY")]


def _heading(answer: Answer) -> Text:
    nodes, totals = answer["nodes"], answer["totals"]
    missing = f", missing: {', '.join(map(visible, nodes['missing']))}" if nodes["missing"] else ""
    counted = [f"{totals['allowed']:,} allowed", f"{totals['denied']:,} denied"]
    counted += [f"{totals[name]:,} {name}" for name in ("shadowed", "errors") if totals[name]]
    of = f" of rule {visible(answer['rule'])}" if answer["rule"] else ""
    return Text.assemble(
        f"{nodes['answered']} of {nodes['of']} nodes",
        (missing, "red"),
        f"; in {duration(answer['last'])}{of}: {', '.join(counted)}",
        f"; keys of {duration(answer['covers'])}" if answer["rows"] else "; no keys",
    )


def _row(row: Answer) -> tuple[str, ...]:
    off = max(row["asked_error"], row["denied_error"])
    asked, denied = f"{row['asked']:,}", f"{row['denied']:,}"
    return row["key"] or '""', row["rule"], row["node"], asked, denied, f"{off:,}" if off else ""
