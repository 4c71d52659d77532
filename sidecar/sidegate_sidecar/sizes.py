"""Sizes: bytes as people write them, "256MiB". Pure."""

from __future__ import annotations

import re

_SIZE = re.compile(r"([0-9]{1,15})\s*(?:([kKmMgG])([iI]?))?[bB]?")  # 15 digits: a petabyte in bytes
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}

EXPECTED = 'expected bytes, such as "256MiB", "1GiB" or "500MB"'


def parse_size(text: str) -> int:
    """Return a number of bytes; ValueError for what isn't one.

    Units are k, M and G (thousands) and Ki, Mi and Gi (1,024), as Kubernetes has them, with or
    without a B at the end.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r}: {EXPECTED}")
    number, unit, binary = match.groups(default="")
    return int(number) * _UNITS[f"{unit}{binary}".lower()]


def size_text(count: int) -> str:
    """Return the shortest text for exactly so many bytes, by powers of 1,024."""
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count and not count & ((1 << shift) - 1):
            return f"{count >> shift}{unit}"
    return str(count)
