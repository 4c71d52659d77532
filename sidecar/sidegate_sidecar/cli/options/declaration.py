"""The declaration of an option: what typer is told of it, and its help says."""

from __future__ import annotations

import typer

from sidegate_sidecar.cli.options.names import variable


def option(
    name: str,
    metavar: str,
    text: str,
    group: str = "Options",
    shown: str | bool = True,
    *,
    has_variable: bool = True,
) -> object:
    """Return what tells typer of an option; `shown` is what the help gives as its default."""
    return typer.Option(
        f"--{name}",
        metavar=metavar,
        help=text,
        envvar=variable(name) if has_variable else None,
        rich_help_panel=group,
        show_default=shown,
    )
