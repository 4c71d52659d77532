"""Paths: how many ways there are to ask for one view, and the one form that rules compare. Pure.

What a client writes and what a framework routes by are two things. Flask takes `//login` for
`/login`, Litestar `/login/` too, Quart takes scheme and authority off, all of them decode percent
signs, and each has its own way with the root path that it is mounted under. So a rule is compared
with the *canonical* form of every reading that a framework could have of a path:

- scheme and authority off, percent signs decoded until nothing changes, runs of slashes as one
  slash, dot segments resolved, and a slash at the end whether there was one or not;
- and, where dot segments were resolved, the same with the dots left as they are.

Where readings select different rules, all of these rules apply: the stricter side wins.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

MAX_DECODED = 3  # times: a server decodes once, a careless proxy once more

_SLASHES = re.compile("/{2,}")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_ODD = re.compile(r"//|%|/\.{1,2}(?:/|\Z)")  # what canonical() would change


class Readings(NamedTuple):
    """The canonical paths that a framework may route a request by, and others it is known by.

    `routed` are those that one framework or another goes by; `known` has the whole path where
    the app is mounted, or served under a root path.
    """

    routed: tuple[str, ...]
    known: tuple[str, ...] = ()


def readings(path: str, root: str) -> Readings:
    """Return the readings of a request's `path`, which may begin with the root path `root`.

    Both are as ASGI has them: decoded, and the root path included where the server adds it.
    """
    if not root or root == "/":
        return Readings(_forms(path))
    root = root.rstrip("/")
    own = path[len(root) :] if path.startswith(root) else None
    if own is not None and own[:1] in {"", "/"}:  # here all frameworks agree
        return Readings(_forms(own), _forms(path))
    routed = _forms(path)
    _, found, behind = path.partition(root)  # Quart and Litestar cut there, Starlette doesn't
    if found:
        routed += tuple(form for form in _forms(behind) if form not in routed)
    return Readings(routed, _forms(root + path))


def is_plain(path: str) -> bool:
    """Tell whether a path is spelled as its view is: nothing that `canonical` would change."""
    return path.startswith("/") and _ODD.search(path) is None


def canonical(path: str) -> str:
    """Return the canonical form of a path, which begins and ends with a slash."""
    return _forms(path)[0]


def _forms(path: str) -> tuple[str, ...]:
    """Return the canonical form, and the one with its dot segments left where there are any."""
    if "%" in path:
        path = _decoded(path)
    if not path.startswith("/"):
        path = "/" + _ABSOLUTE.sub("", path, count=1)
    if "//" in path:
        path = _SLASHES.sub("/", path)
    if not path.endswith("/"):
        path += "/"
    if "/." not in path:
        return (path,)
    resolved = _resolved(path)
    return (path,) if resolved == path else (resolved, path)


def _decoded(path: str) -> str:
    for _ in range(MAX_DECODED):
        decoded = unquote(path)
        if decoded == path:
            break
        path = decoded
    return path


def _resolved(path: str) -> str:
    """Resolve dot segments (RFC 3986, 5.2.4) of a path that ends with a slash."""
    kept: list[str] = []
    for segment in path.split("/")[1:-1]:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    return "/" + "".join(f"{segment}/" for segment in kept)
