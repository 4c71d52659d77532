"""Members: what a node knows of the others, the living and, for a while, those who are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate_ring.membership.messages import LEAF, Life, Rumor, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LIVING: Final = 1_000
"""Nodes but leaves that are alive or suspect: three times the 300 up to which one beside each app
is right. Each has two links to each, and a ring of 1,000 is 27 MB, and a second's work to build."""

MAX_LEAVES: Final = 2_000
"""Leaves that are alive or suspect, which only owners know: two links to each."""

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
        "role",
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
        role: str = "",
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
        self.role = role  # what it is for as long as it lives; "" unsaid
        self.heard = False  # has it spoken to us itself?

    @property
    def living(self) -> bool:
        """Is it alive, or at least not known to be dead?"""
        return self.state <= Life.SUSPECT

    @property
    def is_leaf(self) -> bool:
        """Has it said that it will never be on the ring?"""
        return self.role == LEAF

    @property
    def zone(self) -> str:
        """Return where it says that it runs, "" if it doesn't."""
        return zone_of(self.role)

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
            self.role,
        )

    def __repr__(self) -> str:
        return f"<Member {self.name}: {self.state.name} {self.incarnation}>"


class Members:
    """All members but oneself. `all` has everyone, `living` those that are.

    Of these `leaves` has those that will never be on the ring, `core` the others: owners, and who
    is on the way there, leaves, or hasn't said. `changes` counts what becomes of any of them.

    `rumors` has what others are to be told of each. Where everything is exchanged, nearly all of
    it is known already: then to compare one tuple is all that a rumor costs.
    """

    __slots__ = ("_buried", "_heard", "all", "changes", "core", "leaves", "living", "rumors")

    def __init__(self) -> None:
        self.all: dict[str, Member] = {}
        self.living: dict[str, Member] = {}
        self.core: dict[str, Member] = {}
        self.leaves: dict[str, Member] = {}
        self.changes = 0
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

    def owners_with(self, me: Member) -> list[Member]:
        """Return the nodes on the ring, oneself included."""
        owners = [member for member in self.core.values() if member.owner]
        if me.owner and me.living:
            owners.append(me)
        return owners

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
        # Older releases pass on what a node says, but not what it is.
        member.role = rumor.role or (member.role if member.claim == rumor.claim else "")
        member.claim = rumor.claim
        member.by = rumor.by if state in {Life.SUSPECT, Life.DEAD} else ""
        self.rumors[member.name] = member.rumor
        self._file(member)
        return member

    def _file(self, member: Member) -> None:
        """File the member with the living or the buried, as its state says."""
        self.changes += 1
        of_its_kind, others = self.core, self.leaves
        if member.is_leaf:
            of_its_kind, others = others, of_its_kind
        others.pop(member.name, None)
        if member.living:
            self._buried.pop(member.name, None)
            self.living[member.name] = of_its_kind[member.name] = member
            return
        of_its_kind.pop(member.name, None)
        member.digest = ""
        self.living.pop(member.name, None)
        if member.name not in self._buried and len(self._buried) >= MAX_TOMBSTONES:
            self._forget(next(iter(self._buried)))
        self._buried[member.name] = None

    def learn(self, name: str, role: str) -> Member:
        """Called with what a node is, of which only older releases have told until now."""
        member = self.all[name]
        member.role = role
        self.rumors[name] = member.rumor
        self._file(member)
        return member

    def drop(self, name: str) -> Member:
        """Know nothing more of one that lives, and return what was known."""
        self.changes += 1
        member = self.living.pop(name)
        self._heard -= member.heard
        for some in (self.core, self.leaves, self.all, self.rumors):
            some.pop(name, None)
        return member

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
