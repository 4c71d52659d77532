"""The feed: one event, put together of what this node knows and what all nodes have counted."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING

import msgspec

from sidegate.link.health import LinkState
from sidegate.version import __version__
from sidegate_ring.membership.messages import TAG_BITS
from sidegate_sidecar.fronts.http.live.counted import Counted
from sidegate_sidecar.fronts.http.live.event import Event, NodeSeen, NodesHeard, RingSeen

if TYPE_CHECKING:
    from sidegate_ring.membership.membership import Member
    from sidegate_sidecar.sidecar import Sidecar


class Feed:
    """Makes the events of one sidecar."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._counted = Counted(sidecar.sessions.gathering)

    async def event(self) -> bytes:
        """Return the cluster as it is now, as JSON on one line."""
        now, config = time(), self._sidecar.config
        ring = self._ring(now)
        event = Event(now, config.name, __version__, _up(ring), ring, keys=config.shown_keys)
        if self._sidecar.node.counting is not None:
            event = await self._counted.add(event)
        return msgspec.json.encode(event)

    def _ring(self, now: float) -> RingSeen:
        cluster = self._sidecar.cluster
        everyone = [cluster.membership.me, *cluster.membership.living()]
        nodes = [self._node(it, now) for it in sorted(everyone, key=lambda it: it.name)]
        return RingSeen(cluster.ring.digest, cluster.agrees, nodes)

    def _node(self, member: Member, now: float) -> NodeSeen:
        cluster = self._sidecar.cluster
        is_me = member is cluster.membership.me
        link = self._sidecar.peers.link_to(member.name)
        away = LinkState.UP if is_me else LinkState.DOWN
        return NodeSeen(
            member.name,
            member.owner,
            cluster.ring.share(member.name),
            cluster.stage if is_me else "member" if member.owner else "leaf",
            link.state if link else away,
            member.state.name.lower(),
            now - (member.claim >> TAG_BITS) if member.claim else None,
            link.refusal if link else "",
            me=is_me,
        )


def _up(ring: RingSeen) -> NodesHeard:
    """Tell who could answer, where nothing is counted and so nobody is asked."""
    silent = [it.name for it in ring.nodes if it.state is not LinkState.UP]
    return NodesHeard(len(ring.nodes) - len(silent), len(ring.nodes), silent)
