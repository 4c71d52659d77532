"""Replies: the bytes of what is answered. Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from sidegate.http.request_limiter import Verdict
from sidegate_sidecar.fronts.http.http11.reply import problem

if TYPE_CHECKING:
    from sidegate.http.headers import Pair

_OF_BODIES: Final = frozenset({b"content-type", b"content-length"})
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_OK: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\ndate: "
_FIRST_LINES: Final = {
    it.value: f"HTTP/1.1 {it.value} {it.phrase}\r\ndate: ".encode()
    for it in HTTPStatus
    if it.value >= HTTPStatus.BAD_REQUEST
}


def reply(
    verdict: Verdict, date: bytes, *, denial: int = 0, stays: bool = True, is_head: bool = False
) -> bytes:
    """Return the bytes of an answer.

    `denial` is the status of a refusal, 0 for its own. Whoever wants another one has no use for a
    body, and would end its connection to get rid of it: it gets none.
    """
    fields = b"".join([b"\r\n%b: %b" % pair for pair in verdict.fields])
    end = b"\r\n\r\n" if stays else b"\r\nconnection: close\r\n\r\n"
    if not verdict.status:
        return b"%b%b%b%b" % (_OK, date, fields, end)
    if denial:
        kept = [pair for pair in verdict.fields if pair[0] not in _OF_BODIES]
        fields = b"".join([b"\r\n%b: %b" % pair for pair in kept])
        return b"%b%b%b\r\ncontent-length: 0%b" % (_FIRST_LINES[denial], date, fields, end)
    first = _FIRST_LINES[verdict.status]
    return b"%b%b%b%b%b" % (first, date, fields, end, b"" if is_head else verdict.body)


def refused(status: int, why: str) -> Verdict:
    """Return what becomes of a request that was not understood, or isn't to be answered."""
    made = problem(status, why)
    fields: list[Pair] = [
        (b"content-type", made.content_type.encode()),
        (b"content-length", b"%d" % len(made.body)),
        *((name.lower().encode(), value.encode()) for name, value in made.headers),
    ]
    return Verdict(fields, status, made.body, None, why)
