"""Members: what a node knows of the others, the living and, for a while, those who are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate_ring.membership.messages import Life, Rumor

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LIVING: Final = 1_000
"""Nodes that are alive or suspect: three times the 300 up to which one beside each app is right.
Everyone has two links to everyone, and a ring of 1,000 is 27 MB, and a second's work to build."""

MAX_UNHEARD: Final = 8
"""Nodes known by hearsay only: those of the last moment, since a newcomer speaks to each as soon as
it has heard of it; and those that can't reach us."""

MAX_TOMBSTONES: Final = 4_096
"""Nodes that are dead or have left; the oldest goes first."""


class Member:
    """What is known of one node. `now` and `since` in seconds."""

    __slots__ = (
        "address",
        "by",
        "claim",
        "digest",
        "heard",
        "incarnation",
        "name",
        "owner",
        "since",
        "state",
    )

    def __init__(
        self,
        name: str,
        address: str,
        incarnation: int,
        *,
        state: Life = Life.ALIVE,
        owner: bool = False,
        since: float = 0.0,
    ) -> None:
        self.name = name
        self.address = address
        self.incarnation = incarnation
        self.state = state
        self.owner = owner  # on the ring, if it is living
        self.digest = ""  # of its ring, as it last told us; "" unknown
        self.since = since  # when the state last changed
        self.by = ""  # who says so, of SUSPECT and DEAD
        self.claim = 0  # to its name; 0 while it claims nothing
        self.heard = False  # has it spoken to us itself?

    @property
    def living(self) -> bool:
        """Is it alive, or at least not known to be dead?"""
        return self.state <= Life.SUSPECT

    @property
    def rumor(self) -> Rumor:
        """Return what others are to be told of it."""
        return Rumor(
            self.name,
            self.address,
            self.incarnation,
            int(self.state),
            int(self.owner),
            self.by,
            self.claim,
        )

    def __repr__(self) -> str:
        return f"<Member {self.name}: {self.state.name} {self.incarnation}>"


class Members:
    """All members but oneself. `all` has everyone, `living` those that are.

    `rumors` has what others are to be told of each. Where everything is exchanged, nearly all of
    it is known already: then to compare one tuple is all that a rumor costs.
    """

    __slots__ = ("_buried", "_heard", "all", "living", "rumors")

    def __init__(self) -> None:
        self.all: dict[str, Member] = {}
        self.living: dict[str, Member] = {}
        self.rumors: dict[str, Rumor] = {}
        self._buried: dict[str, None] = {}  # those that aren't living, the longest gone first
        self._heard = 0  # how many of all have spoken to us

    @property
    def takes_hearsay(self) -> bool:
        """May there be one more that others tell of, and that hasn't spoken to us?

        The dead count too, so nobody can invent some, bury them and invent others.
        """
        return len(self.all) - self._heard < MAX_UNHEARD

    def hear(self, name: str) -> None:
        """Called when a node has spoken to us itself."""
        member = self.all.get(name)
        if member is not None and not member.heard:
            member.heard = True
            self._heard += 1

    @property
    def buried(self) -> Iterator[Member]:
        """Yield those that are dead or have left."""
        return (self.all[name] for name in self._buried)

    def put(self, rumor: Rumor, now: float) -> Member:
        """Believe a rumor."""
        member = self.all.get(rumor.name)
        state = Life(rumor.state)
        if member is None:
            member = Member(rumor.name, rumor.address, rumor.incarnation, state=state, since=now)
            self.all[rumor.name] = member
        if member.state != state:
            member.state = state
            member.since = now
            self._buried.pop(member.name, None)  # it goes to the end: the order is by `since`
        member.address = rumor.address
        member.incarnation = rumor.incarnation
        member.owner = rumor.owner == 1
        member.claim = rumor.claim
        member.by = rumor.by if state in {Life.SUSPECT, Life.DEAD} else ""
        self.rumors[member.name] = member.rumor
        self._file(member)
        return member

    def _file(self, member: Member) -> None:
        """File the member with the living or the buried, as its state says."""
        if member.living:
            self._buried.pop(member.name, None)
            self.living[member.name] = member
            return
        member.digest = ""
        self.living.pop(member.name, None)
        if member.name not in self._buried and len(self._buried) >= MAX_TOMBSTONES:
            self._forget(next(iter(self._buried)))
        self._buried[member.name] = None

    def forget(self, before: float) -> list[str]:
        """Forget those that are gone since before that time, and return their names."""
        names: list[str] = []
        for member in self.buried:
            if member.since > before:
                break
            names.append(member.name)
        for name in names:
            self._forget(name)
        return names

    def _forget(self, name: str) -> None:
        del self._buried[name]
        self._heard -= self.all[name].heard
        del self.all[name], self.rumors[name]
