"""Node addresses: where a node says that it, or another one, listens. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.link.address import parse_address
from sidegate.protocol.codec import WireError

if TYPE_CHECKING:
    from sidegate.link.address import Address


def is_at(dialled: Address, link: str) -> bool:
    """May a node that listens at `link` have been dialled there? So it may at all its addresses."""
    try:
        listens = parse_address(link)
    except ValueError:
        return False
    return listens == dialled or (listens.is_wildcard and listens.port == dialled.port)


def address_of(name: str, text: str) -> Address:
    """Return where a node says that it, or another one, listens; WireError for nonsense."""
    try:
        address = parse_address(text[:300])
    except ValueError as error:
        raise WireError("bad-message", f"node {name!r}: {error}") from None
    if address.path or not address.port:
        raise WireError("bad-message", f"node {name!r}: {text[:300]!r} is no HOST:PORT to dial")
    return address
