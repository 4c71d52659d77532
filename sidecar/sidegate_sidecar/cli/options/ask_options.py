"""The options of the commands that ask a sidecar: what each is for, as its help says it."""

from __future__ import annotations

from typing import Annotated

import typer

from sidegate_sidecar.cli.options.declaration import option

Sidecar = Annotated[str, option("http", "HOST:PORT", "The HTTP address of the sidecar to ask.")]
AskedSidecar = Annotated[
    str,
    typer.Option(
        "--http",
        metavar="HOST:PORT",
        help="The HTTP address of a sidecar to ask, too.",
        show_default=False,
    ),
]
CallerSecret = Annotated[
    str,
    option("secret-file", "PATH", "The secret of the cluster. Or put it into SIDEGATE_SECRET."),
]
CallerToken = Annotated[
    str,
    option(
        "http-token-file",
        "PATH",
        "What the sidecar's HTTP takes, if that isn't the secret. Or put it into"
        " SIDEGATE_HTTP_TOKEN.",
    ),
]
Cost = Annotated[
    str, typer.Option("--cost", metavar="TOKENS", help="Tokens to charge; 0 only looks.")
]
Patience = Annotated[
    str, option("drain", "SECONDS", "How long the sidecar may take, as it was told itself.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the answer as JSON, for scripts.", show_default=False)
]
