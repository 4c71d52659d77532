"""Asking: what all commands have in common that ask a sidecar and show its answer."""

# Commands import what they need when they run: an HTTP client takes a third of a second.
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sidegate_sidecar.cli.options import credentials, readers
from sidegate_sidecar.errors import BAD_INPUT, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping


def ask(
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


def show(answer: Mapping[str, Any], kind: str, *, as_json: bool) -> None:
    """Print an answer of that kind."""
    from sidegate_sidecar.cli.printing import PRINTERS, print_json

    (print_json if as_json else PRINTERS[kind])(answer)


def path_of(key: str) -> str:
    """Return where a key is."""
    quoted = quote(sendable(key), safe="").replace(".", "%2E")  # "." and ".." would be folders
    return f"/v1/keys/{quoted}"


def sendable(text: str) -> str:
    """Return a text that HTTP can carry; Failure for any other."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Failure(BAD_INPUT, f"{text!a}: expected text in UTF-8") from None
    return text
