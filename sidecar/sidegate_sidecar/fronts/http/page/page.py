"""The page at /: a browser is given its files, and told to let them do no more than they must."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from sidegate_sidecar.fronts.http.http11.reply import Reply
from sidegate_sidecar.fronts.http.page.files import FILES

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPES: Mapping[str, str] = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",  # names of keys can't become HTML
    "trusted-types 'none'",
)

_FIELDS = (
    ("Content-Security-Policy", "; ".join(_POLICY)),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-cache"),  # a new release has new files under the same names
)


class Page:
    """The files of the page, each read when it is first asked for: 40 kB in all."""

    def __init__(self) -> None:
        self._replies: dict[str, Reply] = {}

    def at(self, path: str) -> Reply:
        """Return the file at a path; there must be one."""
        if path not in self._replies:
            name = FILES[path]
            body = files("sidegate_sidecar.fronts.http.page").joinpath("static", name).read_bytes()
            kind = _TYPES[name.rpartition(".")[2]]
            self._replies[path] = Reply(200, kind, body, _FIELDS)
        return self._replies[path]
