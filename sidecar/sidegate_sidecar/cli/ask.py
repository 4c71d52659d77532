"""The commands that ask a running sidecar something, or have it do something."""

# Commands import what they need when they run: an HTTP client takes a third of a second.
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

import typer

from sidegate_sidecar.cli.options import ask_options, credentials, readers
from sidegate_sidecar.config import DEFAULT_DRAIN, DEFAULT_HTTP
from sidegate_sidecar.errors import BAD_INPUT, DENIED, NOT_DONE, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

Key = Annotated[str, typer.Argument(metavar="KEY", help="Who is limited.", show_default=False)]
Limits = Annotated[
    str,
    typer.Argument(
        metavar="LIMITS", help='Such as "100/minute; 1000/hour burst 50".', show_default=False
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
    answer = ask_sidecar(http, (http_token_file, secret_file), "POST", "/v1/check", body)
    _show(answer, "check", as_json=as_json)
    return 0 if answer["allowed"] else DENIED


def nodes(
    *,
    http: ask_options.Sidecar = DEFAULT_HTTP,
    secret_file: ask_options.CallerSecret = "",
    http_token_file: ask_options.CallerToken = "",
    as_json: ask_options.AsJson = False,
) -> None:
    """Show the cluster as a sidecar sees it."""
    _show(
        ask_sidecar(http, (http_token_file, secret_file), "GET", "/v1/nodes"),
        "nodes",
        as_json=as_json,
    )


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
    _show(
        ask_sidecar(http, (http_token_file, secret_file), "GET", f"/v1/owner?{query}"),
        "owner",
        as_json=as_json,
    )


def peek(
    key: Key,
    *,
    http: ask_options.Sidecar = DEFAULT_HTTP,
    secret_file: ask_options.CallerSecret = "",
    http_token_file: ask_options.CallerToken = "",
    as_json: ask_options.AsJson = False,
) -> None:
    """Show what is left of the limits of a key, without charging it."""
    _show(
        ask_sidecar(http, (http_token_file, secret_file), "GET", _path(key)),
        "buckets",
        as_json=as_json,
    )


def reset(
    key: Key,
    *,
    http: ask_options.Sidecar = DEFAULT_HTTP,
    secret_file: ask_options.CallerSecret = "",
    http_token_file: ask_options.CallerToken = "",
    as_json: ask_options.AsJson = False,
) -> None:
    """Make all limits of a key full again."""
    _show(
        ask_sidecar(http, (http_token_file, secret_file), "DELETE", _path(key)),
        "buckets",
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
    answer = ask_sidecar(
        http, (http_token_file, secret_file), "POST", "/v1/leave", patience=patience
    )
    _show(answer, "leave", as_json=as_json)
    return 0 if answer["left"] else NOT_DONE


def health(*, http: ask_options.Sidecar = DEFAULT_HTTP) -> None:
    """Tell whether a sidecar is ready, by the exit code: for health checks of containers."""
    address = readers.address("http", http)
    from sidegate_sidecar.cli.health import require_ready

    require_ready(address)
    typer.echo("ready")


def ask_sidecar(
    http: str,
    files: tuple[str, str],
    method: str,
    path: str,
    body: Mapping[str, object] | None = None,
    *,
    patience: float = 0.0,
) -> dict[str, Any]:
    """Ask a sidecar; of the `files` one has the HTTP token, the other the secret."""
    address, secret = readers.address("http", http), credentials.shown_secret(*files)
    from sidegate_sidecar.cli.api_client import Remote

    return Remote(address, secret, patience).ask(method, path, body)


def _show(answer: Mapping[str, Any], kind: str, *, as_json: bool) -> None:
    from sidegate_sidecar.cli.printing import PRINTERS, print_json

    (print_json if as_json else PRINTERS[kind])(answer)


def _path(key: str) -> str:
    quoted = quote(sendable(key), safe="").replace(".", "%2E")  # "." and ".." would be folders
    return f"/v1/keys/{quoted}"


def sendable(text: str) -> str:
    """Return a text that can be sent; Failure for what a terminal may have made of it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Failure(BAD_INPUT, f"{text!a}: expected text in UTF-8") from None
    return text
