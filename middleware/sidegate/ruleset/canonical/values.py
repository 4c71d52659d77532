"""Values: names, limits and keys as they are written shortest, wherever they stand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sidegate.http.rules import read_limits
from sidegate.ruleset.document import MAX_PATTERN, MAX_SELECTORS
from sidegate.ruleset.selectors import TENANT, canonical_selector

if TYPE_CHECKING:
    from collections.abc import Sized

    from sidegate.ruleset.document import Selectors
    from sidegate.ruleset.invalid import InvalidValues, Path

_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)


def require_few(path: Path, values: Sized, most: int, invalid: InvalidValues) -> None:
    """Add values that are too many."""
    if len(values) > most:
        invalid.add(path, f"{len(values):,} entries", f"at most {most:,}")


def require_name(path: Path, name: str, invalid: InvalidValues) -> None:
    """Add a name that plans and their limits can't have."""
    if not _NAME.fullmatch(name):
        expected = "a name of 1 to 64 ASCII letters, digits, dots, dashes and underscores"
        invalid.add(path, name, expected)


def require_short(path: Path, pattern: str, invalid: InvalidValues) -> bool:
    """Add a pattern that is too long; tell whether it isn't."""
    if len(pattern) <= MAX_PATTERN:
        return True
    invalid.add(path, pattern, f"at most {MAX_PATTERN:,} characters")
    return False


def canonical_limits(text: str | tuple[str, ...], path: Path, invalid: InvalidValues) -> str:
    """Return limits as one text; "" where they were wrong."""
    limits = invalid.read(path, text, read_limits, "limits")
    return limits.text if limits else ""


def canonical_key(
    key: Selectors, path: Path, invalid: InvalidValues, *, has_tenants: bool
) -> tuple[str, ...]:
    """Return the selectors of a key."""
    listed = (key,) if isinstance(key, str) else key
    if not 1 <= len(listed) <= MAX_SELECTORS:
        invalid.add(path, f"{len(listed):,} selectors", f"1 to {MAX_SELECTORS}")
    found: list[str] = []
    for at, text in enumerate(listed[:MAX_SELECTORS]):
        place = path if isinstance(key, str) else (*path, at)
        selector = invalid.read(place, text, canonical_selector)
        if selector in found:
            invalid.add(place, text, "each selector once")
        if selector == TENANT and not has_tenants:
            invalid.add(place, text, "tenants.id to say which header names the tenant")
        if selector is not None:
            found.append(selector)
    return tuple(found)
