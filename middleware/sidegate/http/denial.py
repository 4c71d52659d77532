"""Denial: the response to a request that is refused, in the form that the app wants. Pure.

The option `on_denied` is a function of the request and the decision. What it returns is the body:
a dict or list becomes JSON, a text is plain text, bytes are bytes, None keeps the usual form. A
tuple has the status behind the body, and header fields behind that:

    def on_denied(request, decision):
        return {"error": "slow down", "retry": decision.retry_after}, 429, {"x-reason": "limit"}
"""

import re
from collections.abc import Mapping
from typing import NamedTuple, cast

import msgspec

from sidegate.http.headers import NO_STORE, RETRY_AFTER, Pair

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110; servers refuse others


class Refusal(NamedTuple):
    """Status, body and header fields of a response."""

    status: int
    body: bytes
    fields: list[Pair]


def own_refusal(made: object, usual: Refusal, retry: int) -> Refusal:
    """Return the refusal that `on_denied` made, with Retry-After; TypeError if it made nonsense."""
    body, status, fields = _parts(made, usual.status)
    if body is None:
        return usual._replace(status=status, fields=[*usual.fields, *fields])
    kind, content = _content(body)
    named = {name for name, _ in fields}
    own: list[Pair] = [NO_STORE, (b"content-length", b"%d" % len(content))]
    if b"content-type" not in named:
        own.append((b"content-type", kind))
    if retry:
        own.append((RETRY_AFTER, b"%d" % retry))
    kept = [pair for pair in own if pair[0] not in named or pair[0] == b"content-length"]
    return Refusal(status, content, [*kept, *fields])


def _parts(made: object, usual: int) -> tuple[object, int, list[Pair]]:
    parts = list(cast("tuple[object, ...]", made)) if isinstance(made, tuple) else [made]
    body = parts[0] if parts else None
    status = parts[1] if len(parts) > 1 else usual
    fields: object = parts[2] if len(parts) > 2 else {}
    if not isinstance(status, int) or not 400 <= status <= 599:
        raise TypeError(f"on_denied gave the status {status!r:.80}, expected 400 to 599")
    if not isinstance(fields, Mapping):
        raise TypeError(f"on_denied gave the fields {fields!r:.80}, expected a mapping")
    given = cast("Mapping[object, object]", fields)
    return body, status, [_pair(name, value) for name, value in given.items()]


def _pair(name: object, value: object) -> Pair:
    text = f"{name}: {value}"
    if not (_NAME.fullmatch(str(name)) and text.isprintable()):
        raise TypeError(
            f"on_denied gave the field {text!r:.80}, expected a name and printable text"
        )
    return str(name).lower().encode("ascii"), str(value).strip().encode("latin-1")


def _content(body: object) -> tuple[bytes, bytes]:
    match body:
        case bytes():
            return b"application/octet-stream", body
        case str():
            return b"text/plain; charset=utf-8", body.encode()
        case dict() | list():
            return b"application/json", msgspec.json.encode(body)
        case _:
            raise TypeError(
                f"on_denied gave {body!r:.80}, expected a dict, a list, a text, bytes or None"
            )
