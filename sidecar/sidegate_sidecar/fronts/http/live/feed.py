"""The feed: one event, put together of what this node knows and what all nodes have counted."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from sidegate.link.health import LinkState
from sidegate.version import __version__
from sidegate_ring.membership.messages import TAG_BITS
from sidegate_sidecar.fronts.http.live.counted import Counted
from sidegate_sidecar.fronts.http.live.event import Event, NodeSeen, NodesHeard, RingSeen
from sidegate_sidecar.fronts.http.live.standings import standings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.protocol.standing_messages import Standing
    from sidegate_ring.membership.membership import Member
    from sidegate_sidecar.sidecar import Sidecar


class Feed:
    """Makes the events of one sidecar."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._counted = Counted(sidecar.sessions.gathering)

    async def event(self) -> bytes:
        """Return the cluster as it is now, as JSON on one line."""
        now, config, cluster = time(), self._sidecar.config, self._sidecar.cluster
        living = [cluster.membership.me, *cluster.membership.living()]
        event = Event(now, config.name, __version__, self._up(living), keys=config.shown_keys)
        if self._sidecar.node.counting is not None:
            event = await self._counted.add(event)
        others = cluster.membership.living() if event.rates else ()
        asked = [it.name for it in others if it.name not in event.nodes.missing]
        stood = await standings(self._sidecar, asked)
        nodes = [self._node(it, stood.get(it.name), now) for it in living]
        nodes.sort(key=lambda it: it.name)
        ring = RingSeen(cluster.ring.digest, cluster.agrees, nodes, cluster.rules.versions())
        return msgspec.json.encode(replace(event, ring=ring))

    def _up(self, living: Iterable[Member]) -> NodesHeard:
        """Tell who could answer, where nothing is counted and so nobody is asked."""
        names = [it.name for it in living]
        down = sorted(name for name in names if self._state(name) is not LinkState.UP)
        return NodesHeard(len(names) - len(down), len(names), down)

    def _state(self, name: str) -> LinkState:
        link = self._sidecar.peers.link_to(name)
        away = LinkState.UP if name == self._sidecar.config.name else LinkState.DOWN
        return link.state if link else away

    def _node(self, member: Member, stood: Standing | None, now: float) -> NodeSeen:
        link = self._sidecar.peers.link_to(member.name)
        return NodeSeen(
            member.name,
            member.owner,
            self._sidecar.cluster.ring.share(member.name),
            stood.stage if stood else "",
            self._state(member.name),
            member.state.name.lower(),
            now - (member.claim >> TAG_BITS) if member.claim else None,
            link.refusal if link else "",
            handed=stood.handed if stood else 0,
            me=member is self._sidecar.cluster.membership.me,
            rules=self._sidecar.cluster.rules.of(member.name),
        )
