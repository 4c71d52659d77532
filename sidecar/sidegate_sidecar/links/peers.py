"""Links to the other nodes: one to each that is alive, and to each address where one may be.

A node is met by address (a seed, a node that dialled us, or one that others tell of) and known by
name. Who is alive, and on the ring, is decided by the cluster; here is only how to get there.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sidegate.link.address import Address, parse_address
from sidegate.link.health import LinkState
from sidegate.link.link import Link
from sidegate.protocol.codec import WireError
from sidegate_ring.membership.membership import Life
from sidegate_sidecar.cluster.records.addresses import address_of, is_at

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from sidegate.link.connection import Connection
    from sidegate.link.dialing import Context
    from sidegate.protocol.handshake import Identity
    from sidegate.protocol.messages import Hello, Message, Roster, UnaskedMessage
    from sidegate_ring.membership.membership import Member
    from sidegate_sidecar.links.inbox.inbox import Inbox

log = logging.getLogger("sidegate")

MAX_STRANGERS = 1_000  # addresses dialled that no node has answered from: a seed's name has a few
CLOSE_WITHIN = 1.0  # seconds that others may take for our last words
MAX_DELAY = 1.0  # seconds between two dials of a node that is away
REFUSES = frozenset({"name", "namesake", "secret", "cluster", "ring-seed", "tls"})
"""What a node is told that can't take part: as long as it is, it is on nobody's ring."""


@dataclass(slots=True)
class Peer:
    """Another node, and the link to it."""

    name: str
    link: Link

    @property
    def state(self) -> LinkState:
        """What the link to it is good for."""
        return self.link.state


@dataclass(slots=True)
class Peers:
    """All links of this node to others. A watcher of each of them."""

    me: Identity
    context: Context
    patience: float  # seconds that a node may be silent when asked, before it is suspect
    by_name: dict[str, Peer] = field(default_factory=dict[str, Peer])
    inbound: dict[str, Connection] = field(default_factory=dict["str", "Connection"])
    """The latest connection that each node has dialled: the way back while ours isn't up."""
    inbox: Inbox = field(init=False)
    """Who is told what nodes say, and whether they can be reached."""
    on_refusal: Callable[[], None] = lambda: None
    """Called when a node isn't reached for another reason than before."""
    _strangers: dict[Address, Link] = field(default_factory=dict[Address, Link])
    _known: dict[Address, str] = field(default_factory=dict[Address, str])
    """Second addresses of nodes, and our own."""
    _former: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """The process that each name had last before another one took its place."""

    # --- the transport of the cluster, and the links of the node

    def link_to(self, name: str, /) -> Link | None:
        """Return the link to a node, None if there is none."""
        peer = self.by_name.get(name)
        return None if peer is None else peer.link

    def is_up(self, name: str, /) -> bool:
        """Tell if a node can be sent something."""
        peer = self.by_name.get(name)
        return peer is not None and peer.link.state is LinkState.UP

    def lacks(self, name: str, kind: type[Message], /) -> str:
        """Return why a node isn't told messages of that kind, for people; "" if it is."""
        peer = self.by_name.get(name)
        return "" if peer is None else peer.link.lacks(kind)

    def unsent(self, name: str) -> int:
        """Return how many bytes wait to be read by a node that we are linked to."""
        peer = self.by_name.get(name)
        return 0 if peer is None else peer.link.unsent

    def post(self, name: str, message: UnaskedMessage, /) -> None:
        """Send a message to a node over our link, or else over one of its own; or drop it."""
        peer = self.by_name.get(name)
        if peer is not None and peer.state in {LinkState.UP, LinkState.SUSPECT}:
            peer.link.tell(message)
            return
        back = self.inbound.get(name)
        if back is not None and back.is_up and not back.transport.is_closing():
            back.send(message)

    def members_changed(self, changed: Iterable[Member], /) -> None:
        """Link to who is alive under the address it has now, and let go of who is gone."""
        for member in changed:
            if member.name == self.me.name:
                continue
            if member.state < Life.DEAD:
                self._want(member.name, address_of(member.name, member.address))
                continue
            self._former.pop(member.name, None)
            if peer := self.by_name.pop(member.name, None):
                fate = "has left" if member.state is Life.LEFT else "is taken for dead"
                log.info("node %s %s", member.name, fate)
                peer.link.close_soon()
                self.inbox.lost(member.name)

    def _want(self, name: str, address: Address) -> None:
        peer = self.by_name.get(name)
        if address.is_wildcard:
            return
        if peer is not None and peer.state is LinkState.UP:
            if self._is_anothers(peer):
                self.meet([address])
            return
        if peer is not None and peer.link.address == address and not peer.link.is_closing:
            return
        if peer is not None:
            peer.link.close_soon()
        link = self._strangers.pop(address, None)
        self.by_name[name] = Peer(name, link or self._dial(address))

    def _is_anothers(self, peer: Peer) -> bool:
        """Has another process of that name claimed it since, though this one is still linked?"""
        return peer.link.peer is not None and self.inbox.has_claimed(peer.link.peer) is False

    # --- what discovery needs

    @property
    def settled(self) -> bool:
        """Has every address that we know of answered or failed at least once?"""
        links = [*self._strangers.values(), *(peer.link for peer in self.by_name.values())]
        return all(link.state is not LinkState.CONNECTING for link in links)

    @property
    def strangers(self) -> list[Link]:
        """Links to addresses from which no node has answered yet, our own left out."""
        return [link for link in self._strangers.values() if link.refusal_code != "self"]

    def refusal(self, codes: Container[str] = REFUSES) -> str:
        """Return why all nodes that answer refuse this one; "" if one accepts it, or none answers.

        A node that has dialled us has accepted us.
        """
        links = [*self._strangers.values(), *(peer.link for peer in self.by_name.values())]
        if self.inbound or any(link.state in {LinkState.UP, LinkState.SUSPECT} for link in links):
            return ""
        return next((link.refusal for link in links if link.refusal_code in codes), "")

    def refusal_by_members(self) -> str:
        """Return why a node that others tell of refuses this one for its name, or "".

        Not a seed that nobody tells of: whoever answers there may say anything.
        """
        links = [peer.link for peer in self.by_name.values()]
        return next((it.refusal for it in links if it.refusal_code == "name"), "")

    def is_me(self, address: Address) -> bool:
        """Has this address turned out to be our own?"""
        return self._known.get(address) == self.me.name

    def meet(self, addresses: Iterable[Address]) -> None:
        """Dial the addresses from which no node has answered yet."""
        linked = {peer.link.address for peer in self.by_name.values()}
        for address in addresses:
            if address in linked or address in self._strangers or address in self._known:
                continue
            if len(self._strangers) >= MAX_STRANGERS:
                log.warning("not dialling %s: %d others don't answer", address, MAX_STRANGERS)
                return
            self._strangers[address] = self._dial(address)

    def _dial(self, address: Address) -> Link:
        return Link(
            address,
            self.me,
            self,
            context=self.context,
            patience=self.patience,
            max_delay=MAX_DELAY,
        )

    def forget_strangers(self, still_named: set[Address]) -> None:
        """Give up addresses that turned out to be ours, or that no seed names and nobody answers.

        The second addresses of nodes are forgotten too, so that one which has moved to another
        node is dialled again.
        """
        for address, link in list(self._strangers.items()):
            if link.refusal_code == "self":
                self._known[address] = self.me.name
            elif address in still_named or link.state is not LinkState.DOWN:
                continue
            del self._strangers[address]
            link.close_soon()
        for address in [at for at, name in self._known.items() if name != self.me.name]:
            del self._known[address]

    # --- what links tell

    def link_up(self, link: Link, hello: Hello, /) -> None:
        """Welcome a node: a new one, or one that is back, perhaps under a new address."""
        if link.is_closing:  # it came up in the very turn in which it was given up
            return
        self._strangers.pop(link.address, None)
        before = self._at(link)
        known = before.name if before else self.inbox.node_at(str(link.address))
        if known not in {"", hello.name} and not is_at(link.address, hello.link):
            self._hang_up(link, known, hello)
            return
        if before is not None and before.name != hello.name:
            log.info("at %s is now node %s, not %s", link.address, hello.name, before.name)
            del self.by_name[before.name]
            self.inbox.on_disconnected(before.name)
        peer = self.by_name.get(hello.name)
        if peer is None:
            self.by_name[hello.name] = Peer(hello.name, link)
            log.info("met node %s at %s", hello.name, link.address)
        elif peer.link is not link and not self._choose(peer, link, hello):
            return
        self.inbox.on_connected(hello.name)

    def _hang_up(self, link: Link, known: str, hello: Hello) -> None:
        """Have nothing to do with another node than was dialled, at an address that isn't its own.

        Somebody has taken an address of the dead, say, and passes on what comes there.
        """
        log.warning(
            "not talking to node %s by the address of node %s (%s): it listens at %s",
            *(hello.name, known, link.address, hello.link),
        )
        link.close_soon()
        if self._at(link):
            del self.by_name[known]
            self.inbox.on_disconnected(known)

    def _at(self, link: Link) -> Peer | None:
        return next((peer for peer in self.by_name.values() if peer.link is link), None)

    def _choose(self, peer: Peer, link: Link, hello: Hello) -> bool:
        """Decide between two links to nodes of one name; is it the new one?"""
        if not self._is_here(peer) or self._displaces(peer, hello):
            self._end_former(hello)
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
        return peer.state is LinkState.UP and self.inbox.is_alive(peer.name)

    def _displaces(self, peer: Peer, hello: Hello) -> bool:
        """Tell if a name is no more that of the process that we are linked to, but of this one."""
        return not self._is_same(peer, hello) and self.inbox.has_claimed(hello) is True

    def _is_same(self, peer: Peer, hello: Hello) -> bool:
        """Is this Hello from the very process that we have a link to?"""
        known = peer.link.peer
        return known is None or self._same(known, hello)

    def _same(self, one: Hello, other: Hello) -> bool:
        return one.nonce.startswith(other.nonce[: len(self.me.instance)])

    def link_down(self, link: Link, /) -> None:
        """Tell that a node is away."""
        if link.refusal_code == "changed":
            self.inbox.changed()
        if peer := self._at(link):
            log.warning("node %s at %s is out of reach", peer.name, link.address)
            self.inbox.on_disconnected(peer.name)
            if self.inbox.is_gone(peer.name):  # it only came by: don't dial it for ever
                del self.by_name[peer.name]
                link.close_soon()

    def link_trusted(self, link: Link, /) -> None:
        """Tell that a node which was silent speaks again."""
        if peer := self._at(link):
            self.inbox.on_connected(peer.name)

    def link_refused(self, link: Link, why: str, /) -> None:
        """Say why a node isn't reached."""
        log.warning("link to %s: %s", link.address, why)
        self.on_refusal()

    def link_ended(self, _link: Link, /) -> None:
        """Do nothing: the loop ends, and this node with it."""

    def roster(self, _link: Link, _roster: Roster, /) -> None:
        """Do nothing: nodes learn of each other by gossip."""

    def on_message(self, link: Link, message: UnaskedMessage, /) -> None:
        """Pass on what a node says on our link to it."""
        if peer := self._at(link):
            self.inbox.on_message(peer.name, message, link.address.host)

    # --- what accepted connections tell

    def dialled_by(self, connection: Connection) -> None:
        """Keep the way back to a node that has dialled us, and meet it at the address it gives."""
        hello = connection.peer
        assert hello is not None  # the handshake is done
        self._end_former(hello)
        self.inbound[hello.name] = connection
        address = address_of(hello.name, hello.link)
        if address.is_wildcard:
            address = replace(address, host=connection.remote_host)
        peer = self.by_name.get(hello.name)
        if not address.host or hello.name == self.me.name:
            return
        if peer is not None and not self._is_same(peer, hello):
            peer.link.close_soon()  # who lost its place would be taken for alive when it wakes
            link = self._strangers.pop(address, None)
            peer.link = link or self._dial(address)
        elif peer is None or not self._is_here(peer):
            self.meet([address])

    def _end_former(self, hello: Hello) -> None:
        """End what another process of that name has dialled, and let that one in no more."""
        peer, before = self.by_name.get(hello.name), self.inbound.get(hello.name)
        for known in (peer and peer.link.peer, before and before.peer):
            if known and not self._same(known, hello):
                self._former[hello.name] = known.nonce[: len(self.me.instance)]
        if before is not None and before.peer is not None and not self._same(before.peer, hello):
            taken = "another node of this name has taken its place"  # while it stood still, say
            before.fail(WireError("name", f"{hello.name!r}: {taken}"))

    def hung_up(self, connection: Connection) -> None:
        """Forget a way back."""
        hello = connection.peer
        if hello is not None and self.inbound.get(hello.name) is connection:
            del self.inbound[hello.name]

    def approve(self, hello: Hello) -> None:
        """Raise WireError for a node that can't be on the ring: with a name that is taken, say."""
        if hello.role != "node":
            return
        address_of(hello.name, hello.link)
        if hello.name == self.me.name and hello.nonce.startswith(self.me.instance):
            raise WireError("self", "this is the node that is dialling")
        self._require_dialled(hello)
        taken = self._is_taken(hello)
        if taken or hello.name == self.me.name:
            code = "name" if taken else "namesake"
            raise WireError(code, f"another node is named {hello.name!r}: give each its own --name")

    def _is_taken(self, hello: Hello) -> bool:
        """Has another process the name of this one, as far as we know?

        Of two the one that has claimed it has it; else the one that we are linked to. One whose
        place another took doesn't get it back, though there may be no link to that one just now.
        """
        if self.inbox.has_claimed(hello):
            return False
        former = self._former.get(hello.name)
        if former and hello.nonce.startswith(former) and not self.inbox.is_gone(hello.name):
            return True
        peer = self.by_name.get(hello.name)
        return peer is not None and self._is_here(peer) and not self._is_same(peer, hello)

    def _require_dialled(self, hello: Hello) -> None:
        """Raise WireError for who has dialled the address of another node, and got us.

        Names and addresses that no node has may be anything: a Service, a balancer, a forwarding.
        """
        if hello.dialled in {"", self.me.link} or parse_address(self.me.link).is_wildcard:
            return
        if (other := self.inbox.node_at(hello.dialled)) not in {"", self.me.name}:
            raise WireError(
                "dialled",
                f"{hello.dialled} is the address of node {other!r}, and this is node"
                f" {self.me.name!r}: somebody there passes on what comes",
            )

    async def close(self) -> None:
        """Close all links."""
        links = [*self._strangers.values(), *(peer.link for peer in self.by_name.values())]
        if closing := [asyncio.ensure_future(link.close()) for link in links]:
            await asyncio.wait(closing, timeout=CLOSE_WITHIN)
