"""Proxies: which part of X-Forwarded-For is believed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

IP: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

MOST_HOPS = 32  # a real chain has two or three; the walk from the right ends there
MOST_ADDRESS = 64  # characters; the longest is 45, with quotes, brackets and port 54
MOST_ADDRESSES = 16_384  # cached: 3 MB; an address costs 3 µs to parse and 0.1 µs to find again
UNIX = "unix:"


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies whose word is taken, by count or by network.

    X-Forwarded-For is a list to which each proxy appends the address it was called from, so the
    right end was written by the nearest proxy and anything further left may be the client's own
    invention. Several lines are one list, in order; empty entries don't count.

    - Neither count nor networks: the peer is the client, X-Forwarded-For is ignored.
    - `hops` = n: the client is the n-th entry from the right. Is the list shorter, the request
      did not come through all proxies, and the peer is the client. Use it only where nobody can
      reach the app around the proxies.
    - `networks`: from the peer leftwards, the first address outside the networks is the client;
      are all of them inside, the leftmost. A peer outside is the client itself. A peer on a Unix
      socket has no address; "unix:" among the networks trusts it.
    - An entry that is no address ("unknown", "_hidden", garbage) says nothing, and its right
      neighbour, the last one that was vouched for, is the client. Quotes, brackets and ports
      are taken off: "192.0.2.1:567", "[2001:db8::1]:80".
    """

    hops: int = 0
    networks: tuple[Network, ...] = ()
    unix: bool = False

    def client(self, peer: str, forwarded: str) -> str:
        """Return the address of the client, "" when it has none."""
        entries = [
            entry for entry in forwarded.rsplit(",", MOST_HOPS)[-MOST_HOPS:] if entry.strip()
        ]
        if self.hops:
            return self._by_count(peer, entries)
        return self._by_network(peer, entries)

    def _by_count(self, peer: str, entries: list[str]) -> str:
        if len(entries) < self.hops:
            return peer
        for entry in entries[-self.hops :]:
            if address := canonical(entry):
                return address
        return peer

    def _by_network(self, peer: str, entries: list[str]) -> str:
        client = peer
        trusted = self._trusts(parse_ip(peer)) if peer else self.unix
        while trusted and entries:
            address = parse_ip(entries.pop())
            if address is None:
                break
            client = str(address)
            trusted = self._trusts(address)
        return client

    def _trusts(self, address: IP | None) -> bool:
        return address is not None and any(address in network for network in self.networks)


NO_PROXIES = Proxies()


def parse_proxies(trusted: int | Iterable[str]) -> Proxies:
    """Return the proxies that the option `trusted_proxies` names: a count, or networks."""
    if isinstance(trusted, int):
        if isinstance(trusted, bool) or not 0 <= trusted <= MOST_HOPS:
            raise ValueError(f"trusted_proxies={trusted!r}: must be a count from 0 to {MOST_HOPS}")
        return Proxies(hops=trusted) if trusted else NO_PROXIES
    names = [trusted] if isinstance(trusted, str) else list(trusted)
    networks = tuple(_network(name) for name in names if name != UNIX)
    return Proxies(networks=networks, unix=UNIX in names) if names else NO_PROXIES


def _network(name: object) -> Network:
    try:
        return ip_network(str(name))  # an integer would be taken for an address
    except ValueError as error:
        raise ValueError(f"trusted_proxies: {name!r} is no network: {error}") from None


def parse_ip(entry: str) -> IP | None:
    """Return the address in an entry of X-Forwarded-For, None if there is none.

    An IPv4 address written as IPv6 is given as IPv4; a zone (%eth0) is dropped.
    """
    text = entry.strip().strip('"')
    return _parse(text) if len(text) <= MOST_ADDRESS else None


def canonical(entry: str) -> str:
    """Return the address in an entry as text, "" if there is none."""
    return _written(entry) if len(entry) <= MOST_ADDRESS else ""


@lru_cache(maxsize=MOST_ADDRESSES)
def _written(entry: str) -> str:
    address = parse_ip(entry)
    return "" if address is None else str(address)


@lru_cache(maxsize=MOST_ADDRESSES)
def _parse(text: str) -> IP | None:
    try:
        address = ip_address(_without_port(text))
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def _without_port(text: str) -> str:
    host, bracket, port = text.removeprefix("[").partition("]")
    if text.startswith("["):
        return host if bracket and _is_port(port) else ""
    host, colon, port = text.partition(":")
    return host if "." in host and _is_port(colon + port) else text


def _is_port(text: str) -> bool:
    return not text or re.fullmatch(r":[0-9]{1,5}", text) is not None
