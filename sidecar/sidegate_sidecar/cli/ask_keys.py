"""The commands about many keys: list them, find those of one identity, reset all that begin so."""

# Commands import what they need when they run: an HTTP client takes a third of a second.

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

import typer

from sidegate.protocol.key_messages import MAX_LISTED, KeyOrder
from sidegate_sidecar.cli.asking import ask, path_of, sendable, show
from sidegate_sidecar.cli.options import ask_options, readers
from sidegate_sidecar.config import DEFAULT_HTTP
from sidegate_sidecar.errors import BAD_INPUT, NOT_DONE, Failure

if TYPE_CHECKING:
    from typing import Any

_RESET_PATIENCE = 10.0  # seconds: nodes walk through all their buckets, checks go first

Prefix = Annotated[
    str, typer.Argument(metavar="PREFIX", help="How the keys begin.", show_default=False)
]
OneKey = Annotated[
    str | None, typer.Argument(metavar="KEY", help="Who is limited.", show_default=False)
]
OrderOfKeys = Annotated[
    str,
    typer.Option(
        "--order", metavar="debt|key", help="What is furthest from full first, or by key."
    ),
]
Max = Annotated[
    str, typer.Option("--max", metavar="KEYS", help=f"How many at the most, 1 to {MAX_LISTED:,}.")
]
Identity = Annotated[
    str | None,
    typer.Option(
        "--identity",
        metavar="IDENTITY",
        help='In place of KEY: one client over all rules, what comes after the first ":" of keys.',
        show_default=False,
    ),
]
ResetPrefix = Annotated[
    str | None,
    typer.Option(
        "--prefix",
        metavar="PREFIX",
        help='In place of KEY: all keys that begin so, on all nodes; "" for every key.',
        show_default=False,
    ),
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Don't ask before a --prefix is reset.", show_default=False)
]


def keys(
    prefix: Prefix = "",
    *,
    order: OrderOfKeys = KeyOrder.DEBT.value,
    max: Max = "50",  # noqa: A002  # as the option is called
    http: ask_options.Sidecar = DEFAULT_HTTP,
    secret_file: ask_options.CallerSecret = "",
    http_token_file: ask_options.CallerToken = "",
    as_json: ask_options.AsJson = False,
) -> None:
    """List keys that have spent something, over all nodes."""
    query = {
        "prefix": sendable(prefix),
        "order": readers.choice("order", order, [it.value for it in KeyOrder]),
        "max": str(readers.whole("max", max, 1, MAX_LISTED)),
    }
    show(_listed(http, (http_token_file, secret_file), query), "keys", as_json=as_json)


def peek(
    key: OneKey = None,
    *,
    identity: Identity = None,
    http: ask_options.Sidecar = DEFAULT_HTTP,
    secret_file: ask_options.CallerSecret = "",
    http_token_file: ask_options.CallerToken = "",
    as_json: ask_options.AsJson = False,
) -> None:
    """Show what is left of the limits of a key, without charging it."""
    files = http_token_file, secret_file
    if identity is None:
        one = _one(key, "--identity")
        show(ask(http, files, "GET", path_of(one)), "buckets", as_json=as_json)
        return
    _require_alone(key, "identity", identity)
    query = {"identity": sendable(identity), "order": "key", "max": str(MAX_LISTED)}
    show(_listed(http, files, query), "keys", as_json=as_json)


def reset(
    key: OneKey = None,
    *,
    prefix: ResetPrefix = None,
    yes: Yes = False,
    http: ask_options.Sidecar = DEFAULT_HTTP,
    secret_file: ask_options.CallerSecret = "",
    http_token_file: ask_options.CallerToken = "",
    as_json: ask_options.AsJson = False,
) -> int:
    """Make all limits of a key full again, or those of all keys that begin so."""
    files = http_token_file, secret_file
    if prefix is None:
        one = _one(key, "--prefix")
        show(ask(http, files, "DELETE", path_of(one)), "buckets", as_json=as_json)
        return 0
    _require_alone(key, "prefix", prefix)
    query = urlencode({"prefix": sendable(prefix), "all": "false" if prefix else "true"})
    if not (yes or _confirmed(prefix)):
        raise Failure(NOT_DONE, "nothing was reset")
    answer = ask(http, files, "DELETE", f"/v1/keys?{query}", patience=_RESET_PATIENCE)
    show(answer, "forgotten", as_json=as_json)
    return NOT_DONE if answer["nodes"]["missing"] else 0


def _listed(http: str, files: tuple[str, str], query: dict[str, str]) -> dict[str, Any]:
    return ask(http, files, "GET", f"/v1/keys?{urlencode(query)}")


def _one(key: str | None, other: str) -> str:
    if key is None:
        raise Failure(BAD_INPUT, f"expected KEY or {other}")
    return key


def _require_alone(key: str | None, option: str, value: str) -> None:
    if key is not None:
        raise Failure(BAD_INPUT, f"--{option} {value!r}: expected no KEY beside it, not {key!r}")


def _confirmed(prefix: str) -> bool:
    """Ask whoever sits at the terminal; Failure where nobody does."""
    meant = f"all keys that begin with {prefix!r}" if prefix else "every key there is"
    if not sys.stdin.isatty():
        raise Failure(BAD_INPUT, f"--prefix {prefix!r}: expected --yes, to reset {meant}")
    return typer.confirm(f"Reset {meant}, on all nodes?", err=True)
