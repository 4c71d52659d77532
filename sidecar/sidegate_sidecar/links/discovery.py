"""Discovery: names of seeds are resolved to all their addresses, again and again.

So the name of a Docker service or of a headless Kubernetes service is enough for all replicas to
find each other, whenever they start. Nothing but DNS is needed.
"""

from __future__ import annotations

import asyncio
import logging
from random import uniform
from socket import SOCK_STREAM
from typing import TYPE_CHECKING

from sidegate.link.address import Address, parse_address
from sidegate_sidecar.cluster.place.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidegate_sidecar.cluster.cluster import Cluster
    from sidegate_sidecar.links.peers import Peers

log = logging.getLogger("sidegate")

EVERY = 5.0  # seconds between two rounds; the usual TTL of names in Kubernetes
EVERY_ALONE = 1.0  # seconds, while no other node is known
RESOLVE_WITHIN = 5.0  # seconds for all names together: a silent name server takes 20 for each
SETTLE_WITHIN = 5.0  # seconds: two dials that get no answer, and some
LOOK_EVERY = 0.02  # seconds between two looks at the links
ALL = "every node that answers refuses this one:"
SOME = "a node that is on the ring refuses this one:"
SAY_EVERY = 60.0  # seconds between two lines of the log that say the same


class Discovery:
    """Meets whatever the seeds resolve to, and whoever died but may be back.

    `join` is called once the first round is over, but not while every node that answers refuses
    this one: for its name, secret, cluster, ring seed or certificate; nor while any member does for
    its name, which another one may have then. A member that all refuse for its name, holding
    another one for it, is `shut_out`, and looks anew.
    """

    def __init__(
        self,
        seeds: Sequence[Address],
        peers: Peers,
        cluster: Cluster,
        join: Callable[[], None],
        shut_out: Callable[[], bool],
        *,
        resolve_within: float = RESOLVE_WITHIN,
    ) -> None:
        self._seeds = seeds
        self._peers = peers
        self._cluster = cluster
        self._join = join
        self._resolve_within = resolve_within
        self._asked: dict[Address, asyncio.Task[set[Address]]] = {}  # those without an answer yet
        self._failed: set[Address] = set()
        self._shut_out = shut_out
        self._said = 0.0  # when it was last logged that all refuse us
        self.refusal = ""  # who refuses this one, and why

    async def run(self) -> None:
        """Resolve and meet for ever."""
        try:
            await self._go_on()
        finally:
            for asked in self._asked.values():
                asked.cancel()

    async def _go_on(self) -> None:
        while True:
            found = await self._resolve_all()
            found |= {parse_address(it.address) for it in self._cluster.membership.dead()}
            self._peers.meet(sorted(found - self._strangers(), key=str))
            for name in self._unintroduced():
                self._peers.inbox.on_connected(name)  # its answer was lost with an earlier link
            self.look()
            await self._settle()
            self._peers.forget_strangers(found)
            pause = EVERY if self._peers.by_name or not self._seeds else EVERY_ALONE
            await asyncio.sleep(uniform(pause / 2, pause))  # noqa: S311  # jitter, not a secret

    def _strangers(self) -> set[Address]:
        """Return where other leaves are, as long as this one, which is one, has an owner to ask."""
        if not any(map(self._peers.is_up, self._cluster.ring.nodes)):
            return set()
        return {parse_address(it) for it in self._cluster.met.strangers}

    def look(self) -> None:
        """Give up the place if all who answer say that it is another node's."""
        if why := self._peers.refusal({"name"}):
            self._shut_out()
            if self._cluster.stage is Stage.STARTING:
                self._refused(f"{ALL} {why}")

    async def _settle(self) -> None:
        """Wait until each address has answered or failed, and who answered has said all it knows.

        So that the first ring is no surprise. Who was refused takes its time: those who did so may
        be slow to say it again.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + SETTLE_WITHIN
        while self._cluster.stage is Stage.STARTING:
            late = clock() > deadline
            if why := self._refusal:
                self._refused(why)
                if late:
                    return
            elif late or (self._peers.settled and not self._unintroduced() and self._is_free):
                self._accepted()
                self._join()
                return
            await asyncio.sleep(LOOK_EVERY)

    @property
    def _refusal(self) -> str:
        if why := self._peers.refusal():
            return f"{ALL} {why}"
        why = self._peers.refusal_by_members()
        return f"{SOME} {why}" if why else ""

    @property
    def _is_free(self) -> bool:
        """Has nobody refused us, or somebody accepted us since?"""
        return not self.refusal or bool(self._cluster.met.introduced)

    def _refused(self, why: str) -> None:
        now = asyncio.get_running_loop().time()
        if not self.refusal or now >= self._said + SAY_EVERY:
            log.error("not on the ring, deciding nothing: %s", why)
            self._said = now
        self.refusal = why

    def _accepted(self) -> None:
        if self.refusal:
            log.warning("no node refuses this one any more: joining the ring")
        self.refusal = ""

    def _unintroduced(self) -> set[str]:
        """Return the nodes that we are linked to and that haven't said yet what they know."""
        up = {name for name in self._peers.by_name if self._peers.is_up(name)}
        return up - self._cluster.met.introduced

    async def _resolve_all(self) -> set[Address]:
        """Ask for all names at once; an answer that is late is for a later round."""
        loop = asyncio.get_running_loop()
        for seed in self._seeds:
            if seed not in self._asked:
                self._asked[seed] = loop.create_task(self._resolve(seed))
        if fresh := [asked for seed, asked in self._asked.items() if seed not in self._failed]:
            await asyncio.wait(fresh, timeout=self._resolve_within)
        found: set[Address] = set()
        for seed, asked in list(self._asked.items()):
            if asked.done():
                found |= self._asked.pop(seed).result()
            else:
                self._note_failure(seed, "no answer from the name server")
        return found

    async def _resolve(self, seed: Address) -> set[Address]:
        loop = asyncio.get_running_loop()
        try:
            rows = await loop.getaddrinfo(seed.host, seed.port, type=SOCK_STREAM)
        except (OSError, UnicodeError) as error:  # no such name; no name at all
            self._note_failure(seed, error)
            return set()
        self._failed.discard(seed)
        return {Address(str(row[4][0]), seed.port) for row in rows}

    def _note_failure(self, seed: Address, why: object) -> None:
        if seed not in self._failed:  # said once, not at every round
            log.warning("seed %s: %s; trying again", seed, why)
        self._failed.add(seed)
