"""The cluster as one node sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND
from sidegate.link.health import LinkState
from sidegate.version import __version__
from sidegate_sidecar.cluster.cluster import Stage
from sidegate_sidecar.fronts.http.app.models import (
    Handovers,
    Nodes,
    RingNode,
    SplitSide,
    Stranger,
    Syncing,
)

if TYPE_CHECKING:
    from sidegate.link.address import Address
    from sidegate.link.link import Link
    from sidegate_ring.membership.membership import Member
    from sidegate_sidecar.cluster.place.handover import Passage
    from sidegate_sidecar.sidecar import Sidecar


def nodes_of(sidecar: Sidecar, http: Address) -> Nodes:
    """Return this node, all living nodes by name, and the addresses that no node is behind."""
    cluster = sidecar.cluster
    owned, backed_up = cluster.held()
    everyone = [cluster.membership.me, *cluster.membership.living()]
    return Nodes(
        name=sidecar.config.name,
        version=__version__,
        link=str(sidecar.link),
        http=str(http),
        ring=cluster.ring.digest,
        agrees=cluster.agrees,
        rules=cluster.rules.mine,
        rules_versions=cluster.rules.versions(),
        keys=len(sidecar.node.buckets),
        keys_owned=owned,
        keys_backed_up=backed_up,
        stage=cluster.stage,
        ready=sidecar.ready,
        split=side_of(sidecar),
        nodes=[_node(sidecar, it) for it in sorted(everyone, key=lambda it: it.name)],
        strangers=[_stranger(link) for link in sidecar.peers.strangers],
        sync=_syncing(sidecar),
    )


def side_of(sidecar: Sidecar) -> SplitSide:
    """Return on which side of a split a node is."""
    side = sidecar.cluster.side
    return SplitSide(
        on_split=side.on_split,
        share=round(side.share, 4),
        counted=side.counted,
        lost=list(side.lost),
    )


def _stranger(link: Link) -> Stranger:
    return Stranger(address=str(link.address), state=link.state, refusal=link.refusal)


def _node(sidecar: Sidecar, member: Member) -> RingNode:
    cluster, link = sidecar.cluster, sidecar.peers.link_to(member.name)
    is_me = member is cluster.membership.me
    away = LinkState.UP if is_me else LinkState.DOWN
    return RingNode(
        name=member.name,
        address=str(sidecar.link) if is_me else member.address,
        state=link.state if link else away,
        life=member.state.name.lower(),
        incarnation=member.incarnation,
        owner=member.owner,
        zone=member.zone,
        share=cluster.ring.share(member.name),
        ring=cluster.ring.digest if is_me else member.digest,
        rules=cluster.rules.of(member.name),
        refusal=link.refusal if link else "",
    )


def _syncing(sidecar: Sidecar) -> Syncing:
    cluster = sidecar.cluster
    counts = cluster.sync.counts
    return Syncing(
        lag=cluster.sync.lag(sidecar.clock()) / SECOND,
        sent=counts.sent,
        merged=counts.merged,
        resent=counts.resent,
        over_admitted=cluster.sync.over_admitted,
        joins=_handovers(cluster.place.passages[Stage.JOINING]),
        leaves=_handovers(cluster.place.passages[Stage.LEAVING]),
        returns=_handovers(cluster.place.passages[Stage.RETURNING]),
    )


def _handovers(passage: Passage) -> Handovers:
    return Handovers(count=passage.count, seconds=passage.total / SECOND, overdue=passage.overdue)
