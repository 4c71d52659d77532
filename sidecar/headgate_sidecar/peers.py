"""The other nodes: a link to each, and the ring that all of them make with this one.

Nodes are met by address (a seed, a node that dialled us, or one that another node told us of) and
known by name, which is what the ring hashes. A node once met stays on the ring, reachable or not.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from headgate.address import Address, parse_address
from headgate.link import Context, Link, State
from headgate.wire import Hello, Member, Roster, WireError
from headgate_ring.hashring import Ring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from headgate.handshake import Identity

log = logging.getLogger("headgate")

MOST_STRANGERS = 1_000  # addresses dialled that no node has answered from: a seed's name has a few
MOST_DELAY = 1.0  # seconds between two dials of a node that is away


@dataclass(slots=True)
class Peer:
    """Another node of the ring."""

    name: str
    link: Link
    digest: str = ""  # of the ring as that node last told it; empty while unknown

    @property
    def state(self) -> State:
        """What the link to it is good for."""
        return self.link.state


@dataclass(slots=True)
class Peers:
    """All nodes that this one has met. `changed` is called after each change of the ring."""

    me: Identity
    context: Context
    changed: Callable[[], None]
    ring: Ring = field(init=False)
    by_name: dict[str, Peer] = field(default_factory=dict)
    _strangers: dict[Address, Link] = field(default_factory=dict)
    _known: dict[Address, str] = field(default_factory=dict)  # second addresses of nodes, and ours

    def __post_init__(self) -> None:
        self.ring = Ring([self.me.name])

    def link_to(self, name: str) -> Link | None:
        """Return the link to a node of the ring, None if there is none."""
        peer = self.by_name.get(name)
        return None if peer is None else peer.link

    @property
    def settled(self) -> bool:
        """Has every address that we know of answered or failed at least once?"""
        links = [*self._strangers.values(), *(peer.link for peer in self.by_name.values())]
        return all(link.state is not State.CONNECTING for link in links)

    @property
    def agree(self) -> bool:
        """Do all nodes whose view we know hold the same ring as this one?"""
        mine = self.ring.digest
        return all(peer.digest == mine for peer in self.by_name.values() if peer.digest)

    def members(self) -> list[Member]:
        """Return (name, address) of all nodes of the ring; this one under the address it gives."""
        others = [(peer.name, str(peer.link.address)) for peer in self.by_name.values()]
        return [(self.me.name, self.me.link), *others]

    def meet(self, addresses: Iterable[Address]) -> None:
        """Dial the addresses from which no node has answered yet."""
        linked = {peer.link.address for peer in self.by_name.values()}
        for address in addresses:
            if address in linked or address in self._strangers or address in self._known:
                continue
            if len(self._strangers) >= MOST_STRANGERS:
                log.warning("not dialling %s: %d others don't answer", address, MOST_STRANGERS)
                return
            self._strangers[address] = self._dial(address)

    def _dial(self, address: Address) -> Link:
        return Link(address, self.me, self, context=self.context, most_delay=MOST_DELAY)

    async def forget_strangers(self, still_named: set[Address]) -> None:
        """Give up addresses that turned out to be ours, or that no seed names and nobody answers.

        The second addresses of nodes are forgotten too, so that one which has moved to another
        node is dialled again.
        """
        for address, link in list(self._strangers.items()):
            if link.refusal_code == "self":
                self._known[address] = self.me.name
            elif address in still_named or link.state is not State.DOWN:
                continue
            del self._strangers[address]
            await link.close()
        stale = [at for at, name in self._known.items() if name != self.me.name]
        for address in stale:
            del self._known[address]

    # --- what links tell

    def link_up(self, link: Link, hello: Hello, /) -> None:
        """Welcome a node: a new one, or one that is back, perhaps under a new address."""
        self._strangers.pop(link.address, None)
        peer = self.by_name.get(hello.name)
        if peer is None:
            self.by_name[hello.name] = Peer(hello.name, link)
            self.ring = self.ring.with_node(hello.name)
            log.info("met node %s at %s; the ring has %d", hello.name, link.address, len(self.ring))
            self.changed()
        elif peer.link is not link:
            self._choose(peer, link)

    def _choose(self, peer: Peer, link: Link) -> None:
        """Keep one of two links to the same node: the one that works, else the newer."""
        if peer.link.state is State.UP:
            self._known[link.address] = peer.name
            link.close_soon()
        else:
            log.info("node %s has moved from %s to %s", peer.name, peer.link.address, link.address)
            peer.link.close_soon()
            peer.link = link

    def link_down(self, link: Link, /) -> None:
        """Forget the view of a node that is away."""
        for peer in self.by_name.values():
            if peer.link is link:
                log.warning("node %s at %s is out of reach", peer.name, link.address)
                peer.digest = ""

    def roster(self, link: Link, roster: Roster, /) -> None:
        """Note another node's view of the ring, and meet the nodes that it knows and we don't."""
        for peer in self.by_name.values():
            if peer.link is link:
                peer.digest = roster.digest
        known = {self.me.name, *self.by_name}
        self.meet(parse_address(address) for name, address in roster.members if name not in known)

    def dialled_by(self, hello: Hello, remote_host: str) -> None:
        """Meet a node that has dialled us, at the address that it gives."""
        address = parse_address(hello.link)
        if address.is_wildcard:
            address = replace(address, host=remote_host)
        if hello.name not in self.by_name:
            self.meet([address])

    def approve(self, hello: Hello) -> None:
        """Raise WireError for a node that has this node's name, be it this node itself."""
        if hello.role != "node" or hello.name != self.me.name:
            return
        if hello.nonce.startswith(self.me.instance):
            raise WireError("self", "this is the node that is dialling")
        raise WireError("name", f"another node is named {hello.name!r}: give each its own --name")

    async def close(self) -> None:
        """Close all links."""
        links = [*self._strangers.values(), *(peer.link for peer in self.by_name.values())]
        for link in links:
            await link.close()
