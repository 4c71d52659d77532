"""Rumors: what a node says of itself, with the address at which others find it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.link.address import parse_address
from sidegate.protocol.messages import Gossip
from sidegate_ring.membership.membership import Life, Rumor

if TYPE_CHECKING:
    from sidegate_ring.membership.membership import Member, SwimMessage


def rumors_of(message: Gossip, sender: str, host: str) -> list[Rumor]:
    """Return what a node that speaks from that host tells; ValueError for roles of no rumor."""
    roles = [""] * len(message.rumors) if message.roles is None else message.roles
    if len(roles) != len(message.rumors):
        raise ValueError(f"{len(roles):,} roles of {len(message.rumors):,} nodes: expected as many")
    pairs = zip(message.rumors, roles, strict=True)
    return [placed(Rumor(*it, role=role), sender, host) for it, role in pairs]


def gossip_of(said: SwimMessage, rules: str, nodes: int) -> Gossip:
    """Return a message as it is sent, by a node with these rules that knows of so many nodes."""
    rumors = [(it[0], it[1], it[2], int(it[3]), int(it[4]), it[5], it[6]) for it in said.rumors]
    roles = [it.role for it in said.rumors]
    return Gossip(int(said.kind), said.id, said.about, said.digest, rumors, rules, roles, nodes)


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
