"""Fractions: which part of a burst one reservation may hold."""

from __future__ import annotations

import re

from sidegate.errors import shown

WHOLE = ""  # as if nothing was said

_PERCENT = re.compile(r"([0-9]{1,3})\s*%")


def canonical_fraction(text: str) -> str:
    """Return a part as it is written shortest; ValueError for what is none."""
    if not text:
        return WHOLE
    found = _PERCENT.fullmatch(text.strip())
    if not found or not 1 <= int(found[1]) <= 100:
        raise ValueError(f'{shown(text)}: expected 1 % to 100 %, such as "50 %"')
    return WHOLE if int(found[1]) == 100 else f"{int(found[1])} %"


def fraction_of(text: str) -> float:
    """Return a part in its canonical form as a number up to 1."""
    return int(text.removesuffix(" %")) / 100 if text else 1.0
