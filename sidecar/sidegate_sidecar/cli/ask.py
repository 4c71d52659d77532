"""The commands that ask a running sidecar something, or have it do something."""

# Commands import what they need when they run: an HTTP client takes a third of a second.
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

import typer

from sidegate_sidecar.cli.asking import ask, sendable, show
from sidegate_sidecar.cli.options import ask_options, readers
from sidegate_sidecar.config import DEFAULT_DRAIN, DEFAULT_HTTP
from sidegate_sidecar.errors import DENIED, NOT_DONE

Key = Annotated[str, typer.Argument(metavar="KEY", help="Who is limited.", show_default=False)]
Limits = Annotated[
    str,
    typer.Argument(
        metavar="LIMITS",
        help='Such as "100/minute; 1000/hour burst 50", or @NAME for a rule of the rules file.',
        show_default=False,
    ),
]


def check(
    key: Key,
    limits: Limits,
    *,
    cost: ask_options.Cost = "1",
    http: ask_options.Sidecar = DEFAULT_HTTP,
    secret_file: ask_options.CallerSecret = "",
    http_token_file: ask_options.CallerToken = "",
    as_json: ask_options.AsJson = False,
) -> int:
    """Charge tokens to a key, if its limits have them; exit with 1 if not."""
    body = {"key": sendable(key), "limits": sendable(limits), "cost": readers.whole("cost", cost)}
    answer = ask(http, (http_token_file, secret_file), "POST", "/v1/check", body)
    show(answer, "check", as_json=as_json)
    return 0 if answer["allowed"] else DENIED


def nodes(
    *,
    http: ask_options.Sidecar = DEFAULT_HTTP,
    secret_file: ask_options.CallerSecret = "",
    http_token_file: ask_options.CallerToken = "",
    as_json: ask_options.AsJson = False,
) -> None:
    """Show the cluster as a sidecar sees it."""
    show(ask(http, (http_token_file, secret_file), "GET", "/v1/nodes"), "nodes", as_json=as_json)


def owner(
    key: Key,
    *,
    http: ask_options.Sidecar = DEFAULT_HTTP,
    secret_file: ask_options.CallerSecret = "",
    http_token_file: ask_options.CallerToken = "",
    as_json: ask_options.AsJson = False,
) -> None:
    """Name the node that owns a key, and its backups."""
    query = urlencode({"key": sendable(key)})
    show(
        ask(http, (http_token_file, secret_file), "GET", f"/v1/owner?{query}"),
        "owner",
        as_json=as_json,
    )


def leave(
    *,
    drain: ask_options.Patience = f"{DEFAULT_DRAIN:g}",
    http: ask_options.Sidecar = DEFAULT_HTTP,
    secret_file: ask_options.CallerSecret = "",
    http_token_file: ask_options.CallerToken = "",
    as_json: ask_options.AsJson = False,
) -> int:
    """Take a sidecar off the ring: it hands its buckets over and goes on forwarding checks."""
    patience = readers.seconds("drain", drain)
    answer = ask(http, (http_token_file, secret_file), "POST", "/v1/leave", patience=patience)
    show(answer, "leave", as_json=as_json)
    return 0 if answer["left"] else NOT_DONE


def forget(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The node that is missed.", show_default=False)
    ],
    *,
    http: ask_options.Sidecar = DEFAULT_HTTP,
    secret_file: ask_options.CallerSecret = "",
    http_token_file: ask_options.CallerToken = "",
    as_json: ask_options.AsJson = False,
) -> None:
    """Count a node no more that is gone for good, where --on-split misses it."""
    query = urlencode({"name": sendable(name)})
    answer = ask(http, (http_token_file, secret_file), "DELETE", f"/v1/nodes?{query}")
    show(answer, "forget", as_json=as_json)


def health(*, http: ask_options.Sidecar = DEFAULT_HTTP) -> None:
    """Tell whether a sidecar is ready, by the exit code: for health checks of containers."""
    address = readers.address("http", http)
    from sidegate_sidecar.cli.health import require_ready

    require_ready(address)
    typer.echo("ready")
