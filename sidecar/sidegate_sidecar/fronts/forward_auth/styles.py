"""Styles: in which fields each proxy says what it was asked. Pure.

A proxy writes some fields itself and passes others on as its client sent them, and every proxy has
other ones. So each has a path of its own here, by which only its own fields are believed, and what
it has to say is required: where it wasn't told to write a field, nobody's request passes, and that
shows at once, while believing what clients write there would never show.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from sidegate_sidecar.fronts.forward_auth.heads import HeadError
from sidegate_sidecar.fronts.forward_auth.proxied_request import ProxiedRequest

if TYPE_CHECKING:
    from sidegate_sidecar.fronts.forward_auth.heads import AuthHead
    from sidegate_sidecar.fronts.forward_auth.proxied_request import AskingPeer

FORWARDED_FOR: Final = b"x-forwarded-for"


class ProxyStyle(NamedTuple):
    """The fields of a proxy; b"" for the method and target that it asks with.

    `denial` is the status of all refusals, 0 for that of each.
    """

    name: str
    method: bytes
    target: bytes
    host: bytes
    denial: int = 0


_ENVOY: Final = ProxyStyle("envoy", b"", b"", b"host")
_FORWARDED: Final = (b"x-forwarded-method", b"x-forwarded-uri", b"x-forwarded-host")
_ORIGINAL: Final = (b"x-original-method", b"x-original-uri", b"x-original-host")
# nginx takes 401 and 403 for a refusal and all else for a fault, which it may be told to pass over.
_NGINX: Final = ProxyStyle("nginx", *_ORIGINAL, denial=403)

PREFIX: Final = b"/v1/auth/"
_BEFORE_A_TARGET: Final = PREFIX + b"envoy"
_BY_PATH: Final = {
    PREFIX + b"nginx": _NGINX,
    PREFIX + b"haproxy": ProxyStyle("haproxy", *_ORIGINAL),
    PREFIX + b"traefik": ProxyStyle("traefik", *_FORWARDED),
    PREFIX + b"caddy": ProxyStyle("caddy", *_FORWARDED),
}
NAMES: Final = ("nginx", "haproxy", "traefik", "caddy", "envoy")
_BEGINS_AS_NGINX: Final = re.compile(rb"[A-Z]{1,32} /v1/auth/nginx[ ?]")
_METHOD: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,32}")  # a token (RFC 9110)


def style_of(target: bytes) -> ProxyStyle:
    """Return which proxy asks, by the path at which it does; HeadError for none."""
    if target.startswith(_BEFORE_A_TARGET) and _is_target(target):
        return _ENVOY
    if style := _BY_PATH.get(target.partition(b"?")[0]):
        return style
    known = ", ".join(f"/v1/auth/{name}" for name in NAMES)
    raise HeadError(404, "path", f"expected one of the paths {known}")


def denial_of(data: bytes) -> int:
    """Return the status for what begins like this and can't be read, 0 for that of its fault."""
    return _NGINX.denial if _BEGINS_AS_NGINX.match(data) else 0


def request_of(style: ProxyStyle, head: AuthHead, peer: AskingPeer) -> ProxiedRequest:
    """Return the request that a proxy asks about; HeadError if it doesn't say which."""
    method = head.method
    if style.method:
        said = _one(style, head, style.method)
        if not _METHOD.fullmatch(said):
            raise _unsaid(style, style.method, f"a method, got {said[:40]!r}")
        method = said.decode("ascii").upper()
    target = _one(style, head, style.target) if style.target else _behind_prefix(head.target)
    if not _says_anybody(head.fields.get(FORWARDED_FOR, [])):
        raise _unsaid(style, FORWARDED_FOR, "the address of the client, got none")
    host = head.fields.get(style.host, [])
    return ProxiedRequest(method, target, host, head.fields, peer)


def _is_target(target: bytes) -> bool:
    return target[len(_BEFORE_A_TARGET) :][:1] in {b"", b"/", b"?", b"*"}


def _behind_prefix(target: bytes) -> bytes:
    return target[len(_BEFORE_A_TARGET) :] or b"/"


def _says_anybody(lines: list[bytes]) -> bool:
    return any(line.strip(b" \t,") for line in lines)


def _one(style: ProxyStyle, head: AuthHead, field: bytes) -> bytes:
    """Return what a proxy has to write into a field, and nobody beside it."""
    lines = head.fields.get(field, ())
    if len(lines) != 1 or not lines[0]:
        raise _unsaid(style, field, f"one line, got {len(lines)}")
    return lines[0]


def _unsaid(style: ProxyStyle, field: bytes, expected: str) -> HeadError:
    name = field.decode().title()
    return HeadError(400, "proxy", f"{name}: expected {expected}: {style.name} has to write it")
