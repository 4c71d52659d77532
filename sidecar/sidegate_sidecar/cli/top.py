"""The command `top`: who is asked about, and denied, most just now, over all nodes."""

# Commands import what they need when they run: an HTTP client takes a third of a second.
# ruff: noqa: PLC0415

from __future__ import annotations

import sys
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from sidegate.protocol.report_messages import MAX_TOP
from sidegate_sidecar.cli.asking import ask, sendable
from sidegate_sidecar.cli.options import ask_options, readers
from sidegate_sidecar.config import DEFAULT_HTTP

Rule = Annotated[
    str, typer.Option("--rule", metavar="RULE", help="Only keys of this rule.", show_default=False)
]
Last = Annotated[
    str, typer.Option("--last", metavar="TIME", help="How far back: 90s, 5m; up to 10m.")
]
Rows = Annotated[str, typer.Option("--rows", metavar="NUMBER", help="How many keys to show.")]
Denied = Annotated[
    bool, typer.Option("--denied", help="Only keys that were denied.", show_default=False)
]


def top(
    *,
    rule: Rule = "",
    last: Last = "1m",
    rows: Rows = "20",
    denied: Denied = False,
    http: ask_options.Sidecar = DEFAULT_HTTP,
    secret_file: ask_options.CallerSecret = "",
    http_token_file: ask_options.CallerToken = "",
    as_json: ask_options.AsJson = False,
) -> None:
    """Show which keys are denied most, and asked about most, over all nodes.

    In a terminal it is drawn anew each second until Ctrl-C; elsewhere, and as JSON, once.
    """
    asked: dict[str, object] = {"last": last, "top": readers.whole("rows", rows, 1, MAX_TOP)}
    if rule:
        asked["rule"] = sendable(rule)
    path = f"/v1/report?{urlencode(asked)}"

    def answer() -> dict[str, Any]:
        found = ask(http, (http_token_file, secret_file), "GET", path)
        if denied:
            found["rows"] = [row for row in found["rows"] if row["denied"]]
        return found

    from sidegate_sidecar.cli.printing import print_json
    from sidegate_sidecar.cli.report_printing import print_report, watch

    if as_json:
        print_json(answer())
    elif sys.stdout.isatty():
        watch(answer)
    else:
        print_report(answer())
