"""Hosts: which names a request may have asked for, and from which pages a browser may ask.

A page of a stranger's may have a browser ask any address, also those that only its user reaches.
It can't lie about where it comes from (`Origin`, `Sec-Fetch-Site`), unless its own name is made to
lead here: so the name that was asked for counts too, and only those pass that no stranger can own.
"""

from __future__ import annotations

from ipaddress import ip_address
from re import compile as regular
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate_sidecar.fronts.http.http11.head import Head

_RESERVED = (".localhost", ".svc", ".cluster.local", ".internal")  # nobody can register these
_NAME = regular(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_SITES = frozenset({"same-origin", "none"})


class Hosts:
    """Tells why a request may have been made by somebody else's page. `names` are ours."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.lower() for name in names)

    def foreign_host(self, head: Head) -> str:
        """Return what is wrong with the host that was asked for, or nothing."""
        if not head.authority or self._is_ours(head.authority):  # HTTP/1.0 has no Host
            return ""
        return (
            f"Host {head.authority[:200]!r}: expected an address, localhost, a name without dots or"
            " within the cluster (.svc), or one given by --http-host (SIDEGATE_HTTP_HOSTS)"
        )

    def foreign_page(self, head: Head) -> str:
        """Return from which foreign page a browser sent it, or nothing."""
        site = head.fields.get("sec-fetch-site", "none").lower()
        if site not in _SITES and not _is_visit(head):
            return f"Sec-Fetch-Site {site[:200]!r}: expected same-origin or none"
        origin = head.fields.get("origin")
        if origin is None or self._is_own(origin, head.authority):
            return ""
        own = f"http://{head.authority[:200]}" if head.authority else "none"
        return f"Origin {origin[:200]!r}: expected {own}: other sites' pages are not served"

    def _is_own(self, origin: str, authority: str) -> bool:
        scheme, _, site = origin.lower().partition("://")
        return scheme in {"http", "https"} and bool(site) and site == authority.lower()

    def _is_ours(self, authority: str) -> bool:
        host = _host(authority)
        if host in self._names or _is_address(host):
            return True
        # A name without dots is one of this network, or localhost.
        return _is_name(host) and ("." not in host or host.endswith(_RESERVED))


def _host(authority: str) -> str:
    """Return a host without its port, in lower case, without the dot that ends a full name."""
    host, colon, port = authority.lower().rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()):
        host = authority.lower()
    return host.removesuffix(".")


def _is_address(host: str) -> bool:
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        return False
    return bracketed or ":" not in host


def _is_name(host: str) -> bool:
    return _NAME.fullmatch(host) is not None


def _is_visit(head: Head) -> bool:
    """Did a user follow a link to here, such as from a page of Prometheus? It changes nothing."""
    fields, how = head.fields, (head.method in {"GET", "HEAD"})
    asks = fields.get("sec-fetch-mode") == "navigate" and fields.get("sec-fetch-dest") == "document"
    return how and asks
