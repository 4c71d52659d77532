"""The command `headgate`: run a sidecar, or ask one."""

from __future__ import annotations

import sys
from socket import gethostname
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

import typer

from headgate.fallback import OnUnreachable
from headgate.options import DEFAULT_BUDGET
from headgate.version import __version__
from headgate_sidecar import cli_options as read
from headgate_sidecar.config import DEFAULT_HTTP, DEFAULT_LINK, MOST_CONNECTIONS, MOST_KEYS, Config, OptionError
from headgate_sidecar.failure import BAD_INPUT, DENIED, NOT_SERVING, Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

# Commands import what they need when they run: a server takes a second to import.
# ruff: noqa: PLC0415

_EPILOG = (
    "Exit codes: 0 done, or allowed; 1 denied (check), or can't listen (serve); 2 wrong usage or"
    " input; 3 the sidecar can't be reached, or refuses."
)

app = typer.Typer(
    name="headgate",
    epilog=_EPILOG,
    help="A distributed rate limiter for Python services: one sidecar beside each app.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Who is limited.")]
LimitsArgument = Annotated[
    str, typer.Argument(metavar="LIMITS", help='Such as "100/minute; 1000/hour burst 50".')
]
Cost = Annotated[int, typer.Option("--cost", metavar="TOKENS", help="Tokens to charge; 0 only looks.")]


@app.callback(invoke_without_command=True)
def headgate(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", show_default=False)] = False,
) -> None:
    """Print the version, or the help when no command is given."""
    if version:
        typer.echo(f"headgate {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(BAD_INPUT)


@app.command(epilog=_EPILOG)
def serve(  # noqa: PLR0913  # one parameter an option, as typer wants it
    *,
    name: read.Name = "",
    ...
