"""Modes: for which keys a rule is enforced; for all others it counts and refuses nobody."""

from __future__ import annotations

import re
from hashlib import sha256

from sidegate.errors import shown

ENFORCE = "enforce"
SHADOW = "shadow"
ALL = 100  # percent of the keys

_SHARE = re.compile(r"([0-9]{1,3})\s*%")


def canonical_mode(text: str) -> str:
    """Return a mode as it is written shortest; ValueError for what is none."""
    share = share_of(text)
    return {0: SHADOW, ALL: ENFORCE}.get(share, f"{share} %")


def share_of(mode: str) -> int:
    """Return for how many percent of the keys a mode enforces; ValueError for what is none."""
    text = mode.strip()
    if text in {ENFORCE, SHADOW}:
        return ALL if text == ENFORCE else 0
    found = _SHARE.fullmatch(text)
    if found and int(found[1]) <= ALL:
        return int(found[1])
    raise ValueError(f'{shown(mode)}: expected enforce, shadow, or a share such as "10 %"')


def is_enforced(key: str, share: int) -> bool:
    """Tell whether a key belongs to a share: always the same ones, and each also to larger ones."""
    if share in {0, ALL}:
        return share == ALL
    digest = sha256(key.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % ALL < share
