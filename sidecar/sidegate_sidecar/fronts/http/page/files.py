"""Files of the page at /: what lies at which path. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_BESIDE = (
    "page.css",
    "icon.svg",
    "page.js",
    "api.js",
    "ask.js",
    "dom.js",
    "feed.js",
    "format.js",
    "happenings.js",
    "key.js",
    "limited.js",
    "ring.js",
    "rules.js",
    "sources.js",
)

FILES: Mapping[str, str] = {"/": "index.html", **{f"/page/{name}": name for name in _BESIDE}}
"""Names of files in the folder `static`, by their paths."""
