"""The cluster as one node sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.link import State
from headgate.version import __version__
from headgate_sidecar.api_models import Nodes, RingNode, Stranger

if TYPE_CHECKING:
    from headgate.link import Link
    from headgate_sidecar.peers import Peers
    from headgate_sidecar.server import Sidecar


def nodes_of(sidecar: Sidecar) -> Nodes:
    """Return this node, all nodes of its ring by name, and the addresses that no node is behind."""
    peers = sidecar.peers
    return Nodes(
        name=sidecar.config.name,
        version=__version__,
        link=str(sidecar.link),
        http=str(sidecar.http),
        ring=peers.ring.digest,
        agrees=peers.agree,
        keys=len(sidecar.node.buckets),
        ready=sidecar.ready,
        nodes=_ring(peers),
        strangers=[_stranger(link) for link in peers.strangers],
    )


def _stranger(link: Link) -> Stranger:
    return Stranger(address=str(link.address), state=link.state, refusal=link.refusal)


def _ring(peers: Peers) -> list[RingNode]:
    return [_ring_node(peers, name, address) for name, address in sorted(peers.members())]


def _ring_node(peers: Peers, name: str, address: str) -> RingNode:
    peer = peers.by_name.get(name)
    return RingNode(
        name=name,
        address=address,
        state=peer.state if peer else State.UP,
        share=peers.ring.share(name),
        ring=peer.digest if peer else peers.ring.digest,
        refusal=peer.link.refusal if peer else "",
    )
