"""How the tables of a run are made, and figures written."""

from __future__ import annotations

from rich.table import Table


def new_table(title: str, *columns: str) -> Table:
    """Return a table with a first column for names, and these for figures."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    return table


def over(figure: float | None, base: float | None) -> float | None:
    """Return a ratio, None if either wasn't measured."""
    return None if figure is None or base is None else figure / base


def cell(figure: float | None, ratio: float | None) -> str:
    """Write a figure, and a ratio behind it if there is one."""
    return written(figure) if ratio is None else f"{written(figure)} ({ratio:.2f}x)"


def written(figure: float | None, digits: int = 0) -> str:
    """Write a figure, a dash for what wasn't measured."""
    return "-" if figure is None else f"{figure:,.{digits}f}"


def percent(share: float | None) -> str:
    """Write a share, a dash for what wasn't measured."""
    return "-" if share is None else f"{share:.1%}"
