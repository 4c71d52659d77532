"""Replies: what the HTTP front answers by itself, and problems (RFC 9457) among them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"


class Reply(msgspec.Struct, frozen=True):
    """A response, whole. `headers` come beside those of its length, its date and the connection.

    `reason` names what is wrong with the request, in metrics and in the log; empty for nothing.
    """

    status: int
    content_type: str
    body: bytes
    headers: Sequence[tuple[str, str]] = ()
    reason: str = ""


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong in a request."""

    field: str
    message: str


class _Problem(msgspec.Struct, frozen=True):
    """The fields of a problem, in the order in which the app writes them too."""

    type: str
    title: str
    status: int
    detail: str
    errors: Sequence[Fault]


def as_json(status: int, value: object) -> Reply:
    """Return a reply with a value as JSON."""
    return Reply(status, JSON, msgspec.json.encode(value))


def problem(
    status: int,
    detail: str,
    *,
    errors: Sequence[Fault] = (),
    headers: Sequence[tuple[str, str]] = (),
    reason: str = "",
) -> Reply:
    """Return the reply that says what is wrong."""
    body = _Problem("about:blank", HTTPStatus(status).phrase, status, detail, errors)
    never_stored = (("Cache-Control", "no-store"), *headers)
    return Reply(status, PROBLEM_JSON, msgspec.json.encode(body), never_stored, reason)
