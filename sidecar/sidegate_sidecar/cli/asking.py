"""The commands that ask a running sidecar something, or have it do something."""

# Commands import what they need when they run: an HTTP client takes a third of a second.
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

import typer

from sidegate_sidecar.cli.options import credentials, readers
from sidegate_sidecar.cli.options import options as given
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
    cost: given.Cost = "1",
    http: given.Sidecar = DEFAULT_HTTP,
    secret_file: given.CallerSecret = "",
    http_token_file: given.CallerToken = "",
    as_json: given.AsJson = False,
) -> int:
    """Charge tokens to a key, if its limits have them; exit with 1 if not."""
    body = {"key": _sendable(key), "limits": _sendable(limits), "cost": readers.whole("cost", cost)}
    answer = _ask(http, (http_token_file, secret_file), "POST", "/v1/check", body)
    _show(answer, "check", as_json=as_json)
    return 0 if answer["allowed"] else DENIED


def nodes(
    *,
    http: given.Sidecar = DEFAULT_HTTP,
    secret_file: given.CallerSecret = "",
    http_token_file: given.CallerToken = "",
    as_json: given.AsJson = False,
) -> None:
    """Show the cluster as a sidecar sees it."""
    _show(_ask(http, (http_token_file, secret_file), "GET", "/v1/nodes"), "nodes", as_json=as_json)


def owner(
    key: Key,
    *,
    http: given.Sidecar = DEFAULT_HTTP,
    secret_file: given.CallerSecret = "",
    http_token_file: given.CallerToken = "",
    as_json: given.AsJson = False,
) -> None:
    """Name the node that owns a key, and its backups."""
    query = urlencode({"key": _sendable(key)})
    _show(
        _ask(http, (http_token_file, secret_file), "GET", f"/v1/owner?{query}"),
        "owner",
        as_json=as_json,
    )


def peek(
    key: Key,
    *,
    http: given.Sidecar = DEFAULT_HTTP,
    secret_file: given.CallerSecret = "",
    http_token_file: given.CallerToken = "",
    as_json: given.AsJson = False,
) -> None:
    """Show what is left of the limits of a key, without charging it."""
    _show(_ask(http, (http_token_file, secret_file), "GET", _path(key)), "buckets", as_json=as_json)


def reset(
    key: Key,
    *,
    http: given.Sidecar = DEFAULT_HTTP,
    secret_file: given.CallerSecret = "",
    http_token_file: given.CallerToken = "",
    as_json: given.AsJson = False,
) -> None:
    """Make all limits of a key full again."""
    _show(
        _ask(http, (http_token_file, secret_file), "DELETE", _path(key)), "buckets", as_json=as_json
    )


def leave(
    *,
    drain: given.Patience = f"{DEFAULT_DRAIN:g}",
    http: given.Sidecar = DEFAULT_HTTP,
    secret_file: given.CallerSecret = "",
    http_token_file: given.CallerToken = "",
    as_json: given.AsJson = False,
) -> int:
    """Take a sidecar off the ring: it hands its buckets over and goes on forwarding checks."""
    patience = readers.seconds("drain", drain)
    answer = _ask(http, (http_token_file, secret_file), "POST", "/v1/leave", patience=patience)
    _show(answer, "leave", as_json=as_json)
    return 0 if answer["left"] else NOT_DONE


def health(*, http: given.Sidecar = DEFAULT_HTTP) -> None:
    """Tell whether a sidecar is ready, by the exit code: for health checks of containers."""
    address = readers.address("http", http)
    from sidegate_sidecar.cli.health import require_ready

    require_ready(address)
    typer.echo("ready")


def _ask(
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
    from sidegate_sidecar.cli import printing as console

    (console.print_json if as_json else console.PRINTERS[kind])(answer)


def _path(key: str) -> str:
    quoted = quote(_sendable(key), safe="").replace(".", "%2E")  # "." and ".." would be folders
    return f"/v1/keys/{quoted}"


def _sendable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Failure(BAD_INPUT, f"{text!a}: expected text in UTF-8") from None
    return text
