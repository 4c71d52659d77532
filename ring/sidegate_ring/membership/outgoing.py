"""What a node says: messages with its own record in them, and news as far as there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate_ring.membership.broadcast import Rumors
from sidegate_ring.membership.messages import LEAF, MAX_IN_FULL, Life, SwimKind, SwimMessage
from sidegate_ring.membership.parameters import Timing, exchanges_wanted, transmissions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidegate_ring.membership.members import Member, Members
    from sidegate_ring.membership.messages import Rumor


class Outgoing:
    """Puts messages together, and holds them until they are taken."""

    __slots__ = (
        "_exchanges",
        "_for_leaves",
        "_has_met",
        "_me",
        "_members",
        "_rumors",
        "_sends",
        "_timing",
    )

    def __init__(self, me: Member, members: Members, timing: Timing) -> None:
        self._me = me
        self._members = members
        self._timing = timing
        self._rumors = Rumors()
        self._exchanges = 0  # with nodes that we were linked to
        self._has_met = False  # any others, since these were counted from 0
        self._for_leaves: dict[str, Rumor] = {}
        self._sends: list[tuple[str, SwimMessage]] = []

    @property
    def has_news(self) -> bool:
        """Is there a rumor that wasn't told often enough?"""
        return len(self._rumors) > 0 or bool(self._for_leaves)

    def take(self) -> list[tuple[str, SwimMessage]]:
        """Return what was said since the last time, and to whom."""
        sends = self._sends
        if sends:
            self._sends = []
        return sends

    def spread(self, rumor: Rumor) -> None:
        """Have a rumor told with the messages that go out, until it was told often enough.

        Of what it is told by others a leaf tells nobody: they tell each other.
        """
        self._has_met |= bool(self._members.core)
        if not self._me.is_leaf or self._me.name in {rumor.name, rumor.by}:
            self._rumors.add(rumor)
        if rumor.role != LEAF and rumor.state != Life.SUSPECT and not self._me.is_leaf:
            self._for_leaves[rumor.name] = rumor

    def forget(self, name: str) -> None:
        """Tell no more about a node."""
        self._rumors.drop(name)

    def talk(self, to: str, kind: SwimKind, id_: int, about: str = "") -> None:
        """Send a message that says who we are, what we think of the other, and some news."""
        known = self._members.rumors
        own = [self._me.rumor, *(known[it] for it in (to, about) if it in known)]
        if to in self._members.leaves:  # its keeper tells it
            self._send(to, kind, id_, about, own)
            return
        news = self._news(self._timing.rumors - len(own), without=[rumor.name for rumor in own])
        self._send(to, kind, id_, about, own + news)

    def tell_news(self, to: str) -> None:
        """Send news, if there are any."""
        if news := self._news(self._timing.rumors):
            self._send(to, SwimKind.RUMORS, 0, "", news)

    def tell_leaves(self, leaves: Iterable[str]) -> None:
        """Send what is new of other nodes than leaves to some leaves, all of it, once."""
        if not self._for_leaves:
            return
        news, most = [*self._for_leaves.values()], self._timing.rumors
        self._for_leaves.clear()
        for to in leaves:
            for start in range(0, len(news), most):
                self._send(to, SwimKind.RUMORS, 0, "", news[start : start + most])

    def tell_of_me(self, to: str) -> None:
        """Send our own record as news."""
        self._send(to, SwimKind.RUMORS, 0, "", [self._me.rumor])

    def tell_all(self, to: str, kind: SwimKind, id_: int) -> None:
        """Send everything. What is too much for one message follows in others.

        Leaves hear nothing of each other.
        """
        others = [*self._members.rumors.values()]
        if to in self._members.leaves:
            others = [it for it in others if it.role != LEAF or it.name == to]
        rumors = [self._me.rumor, *others]
        for start in range(0, len(rumors), MAX_IN_FULL):
            self._send(to, kind, id_, "", rumors[start : start + MAX_IN_FULL])
            kind = SwimKind.FULL_STATE

    def greet(self, to: str, id_: int) -> None:
        """Exchange everything with one that we are linked to by now, or, after enough, a word.

        That has its own record and ours; if there is more to exchange, its ring will tell.
        """
        core = self._members.core
        if self._has_met and not core:
            self._exchanges = 0  # all others have gone, and may have met some meanwhile
            self._has_met = False
        if self._exchanges < exchanges_wanted(len(core)):
            self._exchanges += 1
            self.tell_all(to, SwimKind.PUSH_PULL, id_)
        else:
            self.talk(to, SwimKind.PING, id_)

    def _news(self, count: int, without: Sequence[str] = ()) -> list[Rumor]:
        if not self._rumors:
            return []
        times = transmissions(self._timing, 1 + len(self._members.core))
        return self._rumors.take(count, times, without)

    def _send(self, to: str, kind: SwimKind, id_: int, about: str, rumors: list[Rumor]) -> None:
        self._sends.append((to, SwimMessage(int(kind), id_, about, self._me.digest, rumors)))
