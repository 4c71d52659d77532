"""Ids of reservations: signed, and each says all that there is to know of its reservation. Pure.

So any node settles one rightly, and nobody makes one up. An id is "r1." and the base64url of a
MessagePack array with a tag of 16 bytes behind it, BLAKE2b under a key that is derived from a
secret of the cluster. Each secret that is accepted is accepted here; the first one signs.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from binascii import Error, a2b_base64
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta, Struct

from sidegate.errors import ReservationError, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_ID: Final = 4_096  # characters: the longest key, limits and id of a caller there are
TAG_BYTES: Final = 16  # one guess in 2¹²⁸
_BEGIN: Final = "r1."
_PERSON: Final = b"sidegate-reserve"  # so that no other use of the secret has this key

_Count = Annotated[int, Meta(ge=0, le=1 << 62)]


class Held(Struct, array_like=True, frozen=True):
    """What an id says: what is held of which limits, and until when (ms since 1970)."""

    key: str
    name: str
    limits: str
    held: _Count
    ends_at: _Count


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Held).decode


class ReservationIds:
    """Signs ids, and reads those that it or another node of the cluster has signed.

    `secrets` are those that hold now. Where there is none, the name of the cluster takes its place:
    then whoever knows that can make ids up. `wall` is the time since 1970 in ns, or that of a clock
    which all have who read them.
    """

    def __init__(
        self, cluster: str, secrets: Callable[[], Sequence[bytes]], wall: Callable[[], int]
    ) -> None:
        self.wall = wall
        self._cluster = cluster.encode()
        self._secrets = secrets
        self._known: Sequence[bytes] = ()  # by which the keys were derived
        self._keys: list[bytes] = []

    def sign(self, held: Held) -> str:
        """Return the id of a reservation."""
        body = _encode(held)
        text = urlsafe_b64encode(body + _tag(body, self._keys_now()[0])).rstrip(b"=")
        return _BEGIN + text.decode()

    def read(self, text: str) -> Held:
        """Return what an id says. ReservationError for a text that is none, or isn't ours."""
        if len(text) > MAX_ID:
            raise _no_id(text, f"{len(text):,} characters, expected at most {MAX_ID:,}")
        if not text.startswith(_BEGIN):
            raise _no_id(text, f"expected what begins with {_BEGIN}")
        raw = _bytes_of(text)
        body, tag = raw[:-TAG_BYTES], raw[-TAG_BYTES:]
        if not any(compare_digest(tag, _tag(body, key)) for key in self._keys_now()):
            raise _no_id(text, "it wasn't made by this cluster, or not by a secret that it has now")
        try:
            return _decode(body)
        except (msgspec.DecodeError, ValueError):
            raise _no_id(text, "it is of another release") from None

    def _keys_now(self) -> list[bytes]:
        secrets = self._secrets()
        if secrets != self._known or not self._keys:
            self._known = secrets
            self._keys = [self._key(secret) for secret in secrets or (b"",)]
        return self._keys

    def _key(self, secret: bytes) -> bytes:
        keyed = blake2b(secret, digest_size=32, person=_PERSON).digest()
        return blake2b(self._cluster, digest_size=32, key=keyed).digest()


def unsigned() -> ReservationIds:
    """Return ids without a secret, on no clock: for a node that nobody asks to reserve."""
    return ReservationIds("", tuple, int)


def _tag(body: bytes, key: bytes) -> bytes:
    return blake2b(body, digest_size=TAG_BYTES, key=key).digest()


def _bytes_of(text: str) -> bytes:
    """Return the bytes behind the beginning of an id."""
    plain = text[len(_BEGIN) :].translate(
        {ord("-"): "+", ord("_"): "/", ord("+"): "", ord("/"): ""}
    )
    try:
        raw = a2b_base64(plain + "=" * (-len(plain) % 4), strict_mode=True)
    except (Error, ValueError):
        raise _no_id(text, "expected base64url") from None
    if len(raw) <= TAG_BYTES:
        raise _no_id(text, "it was cut, expected all of it")
    return raw


def _no_id(text: str, why: str) -> ReservationError:
    return ReservationError(f"reservation {quoted(text, 40)}: {why}")
