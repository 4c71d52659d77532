"""Places: who decides about the slots of a key, and whether that one knows all that are held. Pure.

The owner does, or its backup while it can't be reached. Who has just become the owner may lack some
slots. So for a second it has the former owner decide, if that one is still there: nothing is
granted by two. Holders tell it meanwhile what they hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.buckets.limits import SECOND
from sidegate_sidecar.node.holds.slot_around import LASTS

if TYPE_CHECKING:
    from collections.abc import Collection

    from sidegate_ring.hashring import Ring
    from sidegate_sidecar.cache.silence import Silence
    from sidegate_sidecar.node.holds.slot_around import SlotAround

TAKEOVER: Final = SECOND  # ns: holders need half of it, and the former owner forgets after LASTS
MAX_FORMER: Final = 8  # rings of the last two seconds: of more changes the oldest are forgotten


class SlotPlaces:
    """What one node knows of places. `now` is in ns."""

    def __init__(self, around: SlotAround, silence: Silence, now: int) -> None:
        self._around = around
        self._silence = silence
        self._ring = around.ring
        self._former: list[tuple[int, Ring]] = []  # when each was replaced
        self._began = now
        self._down: dict[str, int] = {}  # since when, of nodes that were up

    def pair(self, key: str) -> tuple[str, str]:
        """Return the owner of a key and its backup; "" where there is none."""
        return self._ring.pair(key)

    def decider(self, key: str, now: int, tried: Collection[str] = ()) -> str:
        """Return who is to be asked about a key after those who were; "" for nobody."""
        for name in self.pair(key):
            if (
                name
                and name not in tried
                and (name == self._around.name or self.can_ask(name, now))
            ):
                return name
        return ""

    def can_ask(self, name: str, now: int) -> bool:
        """May a node be asked now?"""
        return self._silence.can_ask(name, now)

    def decides_alone(self, name: str, key: str, now: int) -> bool:
        """Does a node answer about a key without asking another one, whose silence may be to blame?

        Who stands in for an owner asks that one, as long as it doesn't know that it is silent, and
        who has just become the owner asks the former one.
        """
        return self.pair(key)[0] == name and not self.former(key, now)

    def former(self, key: str, now: int) -> str:
        """Return the owner of a key before the ring changed, if that was just now; else ""."""
        for replaced, ring in self._former:
            if now - replaced < TAKEOVER and ring.pair(key)[0] not in {"", self.pair(key)[0]}:
                return ring.pair(key)[0]
        return ""

    def owned_before(self, key: str, now: int) -> bool:
        """Did this node own a key on the ring before the present one, if that was just now?

        Or on one that was replaced within TAKEOVER: who owned the key in between may have lost it
        before it was told what is held.
        """
        last = len(self._former) - 1
        return any(
            (at == last or now - replaced < TAKEOVER) and ring.pair(key)[0] == self._around.name
            for at, (replaced, ring) in enumerate(self._former)
        )

    def knows_all_at(self, key: str, now: int) -> int:
        """Return from when on this node knows all slots of a key that are held.

        That is 2 s after it has begun to decide about it, or as soon as the former owner, which is
        there, doesn't decide any more.
        """
        owner, me = self.pair(key)[0], self._around.name
        since = self._began
        if owner != me:
            since = max(since, self._down.get(owner, 0))
        knows_at = since + LASTS
        for replaced, ring in self._former:
            before = ring.pair(key)[0]
            if before != owner:
                is_there = before == me or self.can_ask(before, now)
                knows_at = max(knows_at, replaced + (TAKEOVER if is_there else LASTS))
        return knows_at

    @property
    def is_settled(self) -> bool:
        """Is nothing left to forget, of who decided before or was there?"""
        return not self._former and not self._down

    # --- what happens

    def ring_changed(self, now: int) -> None:
        """Called when there is another ring."""
        recent = [(at, ring) for at, ring in self._former if now - at < LASTS]
        self._former = [*recent, (now, self._ring)][-MAX_FORMER:]
        self._ring = self._around.ring

    def node_left(self, name: str, now: int) -> None:
        """Called when the link to a node broke."""
        self._down[name] = now
        self._silence.left(name)

    def node_up(self, name: str) -> None:
        """Called when the link to a node is up."""
        self._down.pop(name, None)

    def forget_old(self, now: int) -> None:
        """Forget what doesn't matter any more."""
        if self._former and now - self._former[0][0] >= LASTS:
            del self._former[0]
        for name, since in list(self._down.items()):
            if now - since >= LASTS:
                del self._down[name]
