"""Acquaintances: who has told this node what, and with whom it has nothing to do. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate_ring.membership.members import MAX_LEAVES
from sidegate_ring.membership.membership import SwimKind

if TYPE_CHECKING:
    from sidegate.protocol.messages import Gossip
    from sidegate_ring.membership.membership import Effects, Member

_TELL_ALL: Final = frozenset({SwimKind.PUSH_PULL, SwimKind.FULL_STATE})


class Acquaintances:
    """The nodes that one node has met.

    - `introduced`: have told us everything they know, or all that we wanted of them.
    - `strangers`: addresses of other leaves, with which this one, which is one, has nothing to do.
    - `told_of`: how many nodes an owner has said that there are.
    """

    def __init__(self) -> None:
        self.introduced: set[str] = set()
        self.strangers: set[str] = set()
        self.told_of = 0
        self._greeted: set[str] = set()  # of whom we want no more than that they are there

    def connected(self, name: str, effects: Effects) -> None:
        """Called when a link came up, with what is said first."""
        if all(said.kind == SwimKind.PING for _, said in effects.sends):
            self._greeted.add(name)

    def disconnected(self, name: str) -> None:
        """Called when a link broke."""
        self.introduced.discard(name)
        self._greeted.discard(name)

    def heard(self, sender: str, message: Gossip, *, is_owner: bool) -> None:
        """Called with what a node says."""
        has_answered = message.kind == SwimKind.ACK and sender in self._greeted
        if message.kind in _TELL_ALL or has_answered:
            self.introduced.add(sender)
        if is_owner:
            self.told_of = message.nodes

    def gone(self, member: Member, *, leaf: bool) -> None:
        """Called when a node is dead or has left; `leaf`: are we one?"""
        self.introduced.discard(member.name)
        if leaf and member.is_leaf and len(self.strangers) < MAX_LEAVES:
            self.strangers.add(member.address)
