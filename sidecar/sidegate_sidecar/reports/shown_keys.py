"""How keys are shown to people: they may be names, addresses or tokens of somebody. Pure."""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b
from typing import Final

from sidegate.protocol.keys import OTHER, rule_of

_HASH_BYTES: Final = 8  # of 64 bits two in a million keys are hardly ever the same
_MAX_SHOWN: Final = 4  # characters of what is masked


class ShownKeys(StrEnum):
    """How much of a key is shown."""

    PLAIN = "plain"  # all of it
    MASKED = "masked"  # its rule and a third of its identity, of which four characters at most
    HASHED = "hashed"  # its rule and a hash of its identity


def shown_key(key: str, how: ShownKeys, salt: bytes = b"") -> str:
    """Return a key as it is shown: its rule, and as much of the rest as may be.

    Hashed with the same salt (up to 64 bytes of it count), a key always looks the same.
    """
    if how is ShownKeys.PLAIN:
        return key
    rule = rule_of(key)
    start, identity = ("", key) if rule == OTHER else (f"{rule}:", key[len(rule) + 1 :])
    if how is ShownKeys.MASKED:
        return f"{start}{identity[: min(len(identity) // 3, _MAX_SHOWN)]}…"
    digest = blake2b(identity.encode("utf-8", "replace"), digest_size=_HASH_BYTES, key=salt[:64])
    return start + digest.hexdigest()
