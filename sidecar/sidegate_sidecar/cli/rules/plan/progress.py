"""Progress: how far a log has been read, on a terminal."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from sidegate_sidecar.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate_sidecar.cli.rules.plan.log_file import LogFile

_EVERY: Final = 2_048  # lines


def lines_with_progress(log: LogFile) -> Iterator[bytes]:
    """Yield the lines of a log; on a terminal a bar on stderr says how much of it was read."""
    console = Console(stderr=True, markup=False, emoji=False)
    if not console.is_terminal:
        yield from log.lines()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(Text(visible(log.name)).plain, total=log.size or None)
        lines = log.lines()
        while some := list(islice(lines, _EVERY)):
            yield from some
            progress.update(task, completed=log.position)
