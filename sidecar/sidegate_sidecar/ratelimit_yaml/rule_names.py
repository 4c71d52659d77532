"""Names: what a bucket of descriptors is called, in keys, reports and response fields. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_NAME: Final = 64  # characters, as of a rule in code
_DIGEST: Final = 8  # hex digits in place of what doesn't fit

# What may not stand in the name of a rule: it ends the name or the service in a key, or would have
# to be escaped in a structured field.
_NOT_IN_NAMES: Final = re.compile(r"[^ !#-.0-9;-[\]-~]")
_NOT_IN_ENTRIES: Final = str.maketrans({"%": "%25", ",": "%2C", "=": "%3D"})


def rule_name(parts: Iterable[str]) -> str:
    """Return the name that a path of descriptors has: its parts, with dots between them.

    What a name can't have is written as `%` and its bytes; the end of a long one is its hash. Only
    its beginning is written so: strangers choose values of 60 KB.
    """
    whole = ".".join(parts)
    name = _NOT_IN_NAMES.sub(_as_bytes, whole[: MAX_NAME + 1])
    if len(name) <= MAX_NAME:
        return name
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{name[: MAX_NAME - _DIGEST - 1]}~{digest}"


def entries_text(entries: Iterable[tuple[str, str]]) -> str:
    """Return a text that no other list of entries has: `key=value` with commas between them."""
    return ",".join(
        f"{key.translate(_NOT_IN_ENTRIES)}={value.translate(_NOT_IN_ENTRIES)}"
        for key, value in entries
    )


def _as_bytes(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))
