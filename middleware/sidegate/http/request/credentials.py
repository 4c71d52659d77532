"""Credentials: who a header field authenticates, in one form for all of its spellings. Pure.

An app reads `bEaReR  TOKEN` as it reads `Bearer TOKEN`, and Base64 decoders skip what isn't
Base64. So each credential has any number of spellings, and counted by its text it would have as
many buckets. Here all spellings that a common reader takes for the same are made the same.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, urlsafe_b64decode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_JWT = "eyJ"  # '{"' in Base64: how the header of each JSON Web Token begins (RFC 7519)
_SEGMENTS = (3, 5)  # signed, encrypted (RFC 7516)


def first_member(value: str) -> str:
    """Return what is before the first comma: a server may have joined several lines by it."""
    return value.partition(",")[0].strip()


def bearer_token(value: str) -> str:
    """Return the token of an Authorization field (RFC 6750), "" if it has none.

    It is the second word, whatever the first, or the only one: so apps read it that split the
    field or cut "Bearer " off. What is Basic, with a user, is no token. Of a JSON Web Token the
    signature counts by what its Base64 decodes to, and by the first half of that: its text can
    be changed without harm, and so can the second half of an ECDSA signature.
    """
    scheme, rest = _scheme_and_rest(value)
    if not rest:
        return "" if scheme in {"bearer", "basic"} else first_member(value)
    return "" if scheme == "basic" and _has_user(rest) else canonical_token(_first_word(rest))


def basic_user(value: str) -> str:
    """Return the user of an Authorization field with scheme Basic (RFC 7617), else "".

    As UTF-8, or else as Latin-1. The password is left out: who has it wrong is turned away.
    """
    scheme, rest = _scheme_and_rest(value)
    decoded = _lenient(rest, b64decode) if scheme == "basic" else None
    if decoded is None:
        return ""
    user = decoded.partition(b":")[0]
    try:
        return user.decode()
    except UnicodeDecodeError:
        return user.decode("latin-1")


def authorization(value: str) -> str:
    """Return whom an Authorization field names: a Basic user, or a token."""
    if token := bearer_token(value):
        return f"bearer {token}"
    user = basic_user(value)
    return f"basic {user}" if user else ""


def canonical_token(token: str) -> str:
    """Return a token, a JSON Web Token with its signature in one form."""
    segments = token.split(".")
    if not token.startswith(_JWT) or len(segments) not in _SEGMENTS:
        return token
    decoded = [_lenient(segment, urlsafe_b64decode) for segment in segments[1:]]
    if None in decoded:
        return token
    *others, last = [part or b"" for part in decoded]
    halved = last[: (len(last) + 1) // 2]
    return ".".join([segments[0], *(part.hex() for part in (*others, halved))])


def _scheme_and_rest(value: str) -> tuple[str, str]:
    scheme, rest, *_ = *value.split(None, 1), "", ""
    return scheme.lower(), rest.strip()


def _has_user(rest: str) -> bool:
    return b":" in (_lenient(rest, b64decode) or b"")


def _first_word(text: str) -> str:
    return next(iter(text.split(None, 1)), "").partition(",")[0]


def _lenient(text: str, decode: Callable[[str], bytes]) -> bytes | None:
    """Return what Base64 stands for to readers who skip what isn't Base64; None if to nobody."""
    for padding in ("", "=", "=="):
        try:
            return decode(text + padding)
        except (binascii.Error, ValueError):
            continue
    return None
