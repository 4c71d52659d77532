"""Where a sidecar listens: HOST:PORT, or the path of a Unix socket."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address, or a Unix socket when `path` isn't empty."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Can only this machine reach it? A host name counts as reachable from elsewhere."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_wildcard(self) -> bool:
        """Does it mean all addresses of this machine?"""
        return self.host in {"0.0.0.0", "::"}  # noqa: S104  # recognised here, not bound

    def from_here(self) -> Address:
        """Return where this machine reaches what listens at this address."""
        if not self.is_wildcard:
            return self
        return replace(self, host="::1" if ":" in self.host else "127.0.0.1")


def parse_address(text: str) -> Address:
    """Return the address in `HOST:PORT`, `[IPV6]:PORT` or `unix:/PATH`, else raise ValueError."""
    if text.startswith("unix:"):
        if path := text.removeprefix("unix:").removeprefix("//"):
            return Address(path=path)
        raise ValueError(f"address {text!r}: expected a path after unix:")
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed:
        host = host[1:-1]
    if not colon or not host or (":" in host and not bracketed):
        raise ValueError(f"address {text!r}: expected HOST:PORT, [IPV6]:PORT or unix:/PATH")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535):
        raise ValueError(f"address {text!r}: expected a port from 0 to 65535, got {port!r}")
    return Address(host, int(port))
