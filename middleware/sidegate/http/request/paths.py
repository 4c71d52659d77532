"""Paths: how many ways there are to ask for one view, and the one form that rules compare. Pure.

What a client writes and what a framework routes by are two things. Flask takes `//login` for
`/login`, Litestar `/login/` too, Quart takes scheme and authority off, all of them decode percent
signs, and each has its own way with the root path that it is mounted under. So a rule is compared
with the *canonical* form of every reading that a framework could have of a path:

- scheme and authority off, percent signs decoded until nothing changes, control characters left
  out, runs of slashes as one, dot segments resolved, and a slash at the end in any case;
- where dot segments were resolved, the same with the dots left as they are; and where anything was
  decoded or left out, the same without that: it may be what a parameter of the route takes.

Where readings select different rules, all of these rules apply: the stricter side wins.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlparse

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_DECODED = 3  # times: a server decodes once, a careless proxy once more

_SLASHES = re.compile("/{2,}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")  # Starlette matches before a last line feed
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
    root = root.rstrip("/")
    if not root:
        return Readings(_forms(path))
    asked = (path,) if path.startswith("/") else (path, _without_authority(path))
    own = _each(_own(each, root) for each in asked)
    return Readings(_each(map(_forms, own)), _each(_forms(f"{root}/{each}") for each in own))


def _own(path: str, root: str) -> tuple[str, ...]:
    """Return what may be left of a path without the root path."""
    rest = path.removeprefix(root)
    if rest != path and rest[:1] in {"", "/"}:
        return (rest,)  # here all frameworks agree
    _, found, behind = path.partition(root)  # Quart and Litestar cut there, Starlette doesn't
    return (path, behind) if found else (path,)


def _each(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(form for group in groups for form in group))


def is_plain(path: str) -> bool:
    """Tell whether a path is spelled as its view is: nothing that `canonical` would change."""
    return path.startswith("/") and path.isprintable() and _ODD.search(path) is None


def canonical(path: str) -> str:
    """Return the canonical form of a path, which begins and ends with a slash."""
    return _forms(path)[0]


def _forms(path: str) -> tuple[str, ...]:
    """Return the canonical forms of a path, the one with its dots resolved before the other."""
    asked = path
    if "%" in path:
        path = _decoded(path)
    if not path.isprintable():
        path = _CONTROLS.sub("", path)
    if path == asked:
        return _as_written(path)
    return _each((_as_written(path), _as_written(asked)))


def _as_written(path: str) -> tuple[str, ...]:
    if path.startswith("/"):
        return _form(path)
    return _each(_form(f"/{each}") for each in (_without_authority(path), path))


def _form(path: str) -> tuple[str, ...]:
    if "//" in path:
        path = _SLASHES.sub("/", path)
    if not path.endswith("/"):
        path += "/"
    if "/." not in path:
        return (path,)
    resolved = _resolved(path)
    return (path,) if resolved == path else (resolved, path)


def _without_authority(path: str) -> str:
    """Return the path of an absolute URL, as Quart takes it (RFC 9112, 3.2.2)."""
    try:
        return urlparse(path).path
    except ValueError:  # half an IPv6 address
        return path


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
