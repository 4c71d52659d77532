"""Rumors: what a node says of itself, with the address at which others find it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.link.address import parse_address
from sidegate_ring.membership.membership import Life

if TYPE_CHECKING:
    from sidegate_ring.membership.membership import Member, Rumor


def placed(rumor: Rumor, sender: str, host: str) -> Rumor:
    """Return what a node says of itself, with the address where it really is."""
    if rumor.name != sender or not host:
        return rumor
    address = parse_address(rumor.address)
    if not address.is_wildcard:
        return rumor
    bracketed = f"[{host}]" if ":" in host else host
    return rumor._replace(address=f"{bracketed}:{address.port}")


def takes_for_dead(rumor: Rumor, member: Member) -> bool:
    """Has someone given a node up in its present life, and with it what it was to be sent?"""
    return (
        rumor.name == member.name
        and rumor.state == Life.DEAD
        and (rumor.claim, rumor.incarnation) >= (member.claim, member.incarnation)
    )
