"""Hosts: which host a request is for, in one form for all of its spellings. Pure."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from sidegate.errors import WrongHost

if TYPE_CHECKING:
    from sidegate.http.request.request import Request

MAX_HOST = 253  # characters of a name (RFC 1035); an address has fewer

_HOST = re.compile(r"(?P<host>[a-z0-9_*-]+(?:\.[a-z0-9_*-]+)*|\[[0-9a-f:.]{2,45}\])\.?(?::[0-9]*)?")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")


def host_of(request: Request) -> str:
    """Return the host that a request is for, as `canonical_host` writes it.

    WrongHost if it names none, no host at all, or two that differ, be it in two lines or in the
    line and an absolute target (RFC 9112, 3.2.2): which of them an app goes by is the app's secret.
    """
    said = request.lines("host")
    if absolute := _ABSOLUTE.match(request.path):
        said = [*said, absolute[1]]
    hosts = {canonical_host(each) for each in said}
    if len(hosts) != 1 or (host := hosts.pop()) == "" or "*" in host:
        raise WrongHost(", ".join(said))
    return host


def canonical_host(text: str) -> str:
    """Return a host in small letters, without its port and a dot at its end; "" if it is none.

    It may have `*`, as patterns do.
    """
    found = _HOST.fullmatch(text.strip(" \t").lower())
    host = found["host"] if found and len(found["host"]) <= MAX_HOST else ""
    return _address(host) if host.startswith("[") else host


def _address(host: str) -> str:
    try:
        return f"[{IPv6Address(host[1:-1])}]"
    except ValueError:
        return ""
