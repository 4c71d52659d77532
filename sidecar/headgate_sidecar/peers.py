"""The other nodes: a link to each, and the ring that all of them make with this one.

Nodes are met by address (a seed, a node that dialled us, or one that another node told us of) and
known by name, which is what the ring hashes. A node once met stays on the ring, reachable or not.
"""

from __future__ import annotations

import logging
import time
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
HEARD_WITHIN = 3.0  # seconds: a node that runs tells us its ring every second


@dataclass(slots=True)
class Peer:
    """Another node of the ring."""

    name: str
    link: Link
    digest: str = ""  # of the ring as that node last told it; empty while unknown
    heard_at: float = 0.0  # when it last told us, in seconds of the clock of Peers

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
    patience: float = 0.04  # seconds that a node may be silent when asked, before it is suspect
    clock: Callable[[], float] = time.monotonic
    joined: bool = True  # False until Discovery has looked for the other nodes once
    ring: Ring = field(init=False)
    by_name: dict[str, Peer] = field(default_factory=dict[str, Peer])
    _strangers: dict[Address, Link] = field(default_factory=dict[Address, Link])
    _known: dict[Address, str] = field(default_factory=dict[Address, str])
    """Second addresses of nodes, and our own."""

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

    @property
    def strangers(self) -> list[Link]:
        """Links to addresses from which no node has answered yet, our own left out."""
        return [link for link in self._strangers.values() if link.refusal_code != "self"]

    def members(self) -> list[Member]:
        """Return (name, address) of all nodes of the ring; this one under the address it gives."""
        others = [(peer.name, str(peer.link.address)) for peer in self.by_name.values()]
        return [(self.me.name, self.me.link), *others]

    def meet(self, addresses: Iterable[Address]) -> None:
        """Dial the addresses from which no node has answered yet."""
        peers = self.by_name.values()
        linked = {peer.link.address for peer in peers if peer.state is not State.CLOSED}
        for address in addresses:
            if address in linked or address in self._strangers or address in self._known:
                continue
            if len(self._strangers) >= MOST_STRANGERS:
                log.warning("not dialling %s: %d others don't answer", address, MOST_STRANGERS)
                return
            self._strangers[address] = self._dial(address)

    def _dial(self, address: Address) -> Link:
        return Link(
            address,
            self.me,
            self,
            context=self.context,
            patience=self.patience,
            most_delay=MOST_DELAY,
        )

    def forget_strangers(self, still_named: set[Address]) -> None:
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
            link.close_soon()
        stale = [at for at, name in self._known.items() if name != self.me.name]
        for address in stale:
            del self._known[address]

    # --- what links tell

    def link_up(self, link: Link, hello: Hello, /) -> None:
        """Welcome a node: a new one, or one that is back, perhaps under a new address."""
        self._strangers.pop(link.address, None)
        before = self._at(link)
        if before is not None and before.name != hello.name:
            self._hand_over(before, hello)
            return
        peer = self.by_name.get(hello.name)
        if peer is None:
            peer = self.by_name[hello.name] = Peer(hello.name, link)
            self.ring = self.ring.with_node(hello.name)
            log.info("met node %s at %s; the ring has %d", hello.name, link.address, len(self.ring))
            self.changed()
        elif peer.link is not link and not self._choose(peer, link, hello):
            return
        peer.heard_at = self.clock()

    def _at(self, link: Link) -> Peer | None:
        return next((peer for peer in self.by_name.values() if peer.link is link), None)

    def _hand_over(self, before: Peer, hello: Hello) -> None:
        """Take an address from the node that was there, which keeps a closed link to it."""
        address = before.link.address
        log.info("at %s is now node %s, not %s", address, hello.name, before.name)
        before.link.close_soon()
        before.digest = ""
        self._strangers[address] = self._dial(address)

    def _choose(self, peer: Peer, link: Link, hello: Hello) -> bool:
        """Decide between two links to nodes of one name; is it the new one?"""
        if not self._is_here(peer):
            log.info("node %s has moved from %s to %s", peer.name, peer.link.address, link.address)
            peer.link.close_soon()
            peer.link = link
            return True
        if not self._is_same(peer, hello):
            one, other = peer.link.address, link.address
            log.error(
                "two nodes are named %r: give each its own --name (%s, %s)", peer.name, one, other
            )
        self._known[link.address] = peer.name
        link.close_soon()
        return False

    def _is_here(self, peer: Peer) -> bool:
        """Tell if it surely runs where we think; a link may be up to a machine that is gone."""
        return peer.state is State.UP and self.clock() - peer.heard_at < HEARD_WITHIN

    def _is_same(self, peer: Peer, hello: Hello) -> bool:
        """Is this Hello from the very process that we have a link to?"""
        size = len(self.me.instance)
        known = peer.link.peer
        return known is None or known.nonce[:size] == hello.nonce[:size]

    def link_down(self, link: Link, /) -> None:
        """Forget the view of a node that is away."""
        if peer := self._at(link):
            log.warning("node %s at %s is out of reach", peer.name, link.address)
            peer.digest = ""

    def roster(self, link: Link, roster: Roster, /) -> None:
        """Note another node's view of the ring, and meet the nodes that it knows and we don't."""
        if peer := self._at(link):
            peer.digest, peer.heard_at = roster.digest, self.clock()
        self.meet([at for name, text in roster.members if (at := self._sought(name, text))])

    def dialled_by(self, hello: Hello, remote_host: str) -> None:
        """Meet a node that has dialled us, at the address that it gives."""
        if address := self._sought(hello.name, hello.link, remote_host):
            self.meet([address])

    def _sought(self, name: str, text: str, host: str = "") -> Address | None:
        """Return the address given for a node if we aren't linked to that node, else None."""
        address = _address_of(name, text)
        if address.is_wildcard:
            address = replace(address, host=host)
        peer = self.by_name.get(name)
        if name == self.me.name or not address.host or (peer is not None and self._is_here(peer)):
            return None
        return address

    def approve(self, hello: Hello) -> None:
        """Raise WireError for a node that can't be on the ring: with a name that is taken, say."""
        if hello.role != "node":
            return
        _address_of(hello.name, hello.link)
        if hello.name == self.me.name and hello.nonce.startswith(self.me.instance):
            raise WireError("self", "this is the node that is dialling")
        peer = self.by_name.get(hello.name)
        taken = peer is not None and self._is_here(peer) and not self._is_same(peer, hello)
        if taken or hello.name == self.me.name:
            raise WireError(
                "name", f"another node is named {hello.name!r}: give each its own --name"
            )

    async def close(self) -> None:
        """Close all links."""
        links = [*self._strangers.values(), *(peer.link for peer in self.by_name.values())]
        for link in links:
            await link.close()


def _address_of(name: str, text: str) -> Address:
    """Return where a node says that it, or another one, listens; WireError for nonsense."""
    try:
        address = parse_address(text[:300])
    except ValueError as error:
        raise WireError("bad-message", f"node {name!r}: {error}") from None
    if address.path or not address.port:
        raise WireError("bad-message", f"node {name!r}: {text[:300]!r} is no HOST:PORT to dial")
    return address
