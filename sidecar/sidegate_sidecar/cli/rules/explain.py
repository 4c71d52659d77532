"""`sidegate rules explain`: which rule a request falls under, and what is left of it."""

# Commands import what they need when they run.
# ruff: noqa: PLC0415

from __future__ import annotations

import time
from typing import Annotated

import typer

from sidegate_sidecar.cli.asking import ask, path_of
from sidegate_sidecar.cli.options import ask_options  # noqa: TC001  # typer reads it
from sidegate_sidecar.cli.rules.loading import File, load
from sidegate_sidecar.errors import NOT_DONE

Method = Annotated[str, typer.Option("--method", metavar="METHOD", help="Of the request.")]
RequestPath = Annotated[
    str, typer.Option("--path", metavar="PATH", help="Of the request; its query is left out.")
]
HeaderLines = Annotated[
    list[str],
    typer.Option("--header", metavar="NAME:VALUE", help="A header field; may be repeated."),
]
ClientAddress = Annotated[
    str, typer.Option("--client", metavar="ADDRESS", help="Where the request comes from.")
]
IsTrusted = Annotated[
    bool,
    typer.Option(
        "--trusted",
        help="Its header fields are a trusted proxy's, which may name tenant and plan.",
        show_default=False,
    ),
]


def explain(
    file: File,
    *,
    method: Method = "GET",
    path: RequestPath = "/",
    header: HeaderLines = [],  # noqa: B006  # typer shows and copies it
    client: ClientAddress = "192.0.2.1",
    trusted: IsTrusted = False,
    http: ask_options.AskedSidecar = "",
    secret_file: ask_options.CallerSecret = "",
    http_token_file: ask_options.CallerToken = "",
    as_json: ask_options.AsJson = False,
) -> int:
    """Tell which rule a request falls under and why; with --http also what is left.

    The exit code is 1 where the file is wrong.
    """
    from sidegate_sidecar.cli.rules.described_request import DescribedRequest
    from sidegate_sidecar.cli.rules.explained import explained, left_of
    from sidegate_sidecar.cli.rules.printing import print_explanation, print_wrong
    from sidegate_sidecar.rules_file.rules_file import UnusableFile

    request = DescribedRequest(method, path, header, client, is_trusted=trusted)
    try:
        rules = load(file)
    except UnusableFile as error:
        print_wrong(error, as_json=as_json)
        return NOT_DONE
    said = explained(rules, request, time.time())
    for asked in said["asked"] if http else ():
        files = http_token_file, secret_file
        asked.update(left_of(asked, ask(http, files, "GET", path_of(asked["key"]))))
    print_explanation(said, as_json=as_json)
    return 0
