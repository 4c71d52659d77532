"""Voter sets: the nodes by which the sides of a split measure themselves. Pure.

A side goes on that reaches more than half of the nodes that were there before. What was there
before changes: nodes come, leave, and die for good. This is dynamic voting (Jajodia and Mutchler,
1990), with the joint majorities of Raft's change of members (Ongaro and Ousterhout, 2014).

A node that is on the side which goes on proposes the nodes that it reaches as the next set, and so
promises: from then on it needs a majority of that set too, beside those of all before it. Once all
nodes of the set have promised the same, it is agreed, and those before it count no more. Whoever
missed that has promised it, or hears of it from one who has: two sides never both have a majority
of all that they know of. Of two sets the one with the higher version counts, of the same version
that with the larger names. Ties go to the side that has the smallest name.

Who leaves says so, and is gone: it counts for neither side. If it comes back it is a newcomer, and
counts by the next set that is agreed: those on another side may not have heard that it is back.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from sidegate.protocol.standing_messages import MAX_PROPOSED, MAX_VOTERS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


class VoterSet(NamedTuple):
    """Some nodes, sorted by name; of two sets the larger tuple counts. Version 0 is none."""

    version: int
    names: tuple[str, ...]


MAX_TOLD: Final = 4
"""Sets of others that are one object each: nearly all nodes tell the same, 60 MB of names if each
of 1,000 had its own."""

NONE_YET: Final = VoterSet(0, ())


def latest_of(sets: Iterable[VoterSet]) -> dict[str, int]:
    """Return the names in these sets, and the latest version that has each."""
    latest: dict[str, int] = {}
    for version, names in sorted(sets):
        latest.update(dict.fromkeys(names, version))
    return latest


def has_majority(names: Iterable[str], present: Collection[str], gone: Collection[str]) -> bool:
    """Tell if those present are more than half of the names that aren't gone.

    Or half of them, with the smallest one. Where all are gone nobody is left to ask.
    """
    voters = [name for name in names if name not in gone]
    here = sum(name in present for name in voters)
    return 2 * here > len(voters) or (
        2 * here == len(voters) and (not voters or min(voters) in present)
    )


class VoterSets:
    """The sets that one node counts by: the last agreed one, and those it has promised since."""

    def __init__(self) -> None:
        self.agreed = NONE_YET
        self.proposed: list[VoterSet] = []
        self.gone: dict[str, int] = {}
        """Who has left, or was forgotten by an operator's word: of all sets up to that version."""
        self._told: deque[VoterSet] = deque(maxlen=MAX_TOLD)  # by others, and not known here

    @property
    def last(self) -> VoterSet:
        """Return the last set that was agreed or promised."""
        return self.proposed[-1] if self.proposed else self.agreed

    def agree(self, voters: VoterSet) -> None:
        """Count by this set, if it is later than the agreed one, and by none before it."""
        if voters > self.agreed:
            self.agreed = voters
            self.proposed = [it for it in self.proposed if it > voters]

    def propose(self, voters: VoterSet) -> None:
        """Promise to count by this set as well.

        Of too many the last one gives way: it was the last second's, and hardly agreed anywhere.
        """
        self.proposed = [*self.proposed[: MAX_PROPOSED - 1], voters]

    def gone_of(self, voters: VoterSet) -> set[str]:
        """Return who is gone of those in a set."""
        gone, version = self.gone, voters.version
        return {name for name in voters.names if gone.get(name, 0) >= version} if gone else set()

    def note_gone(self, names: Iterable[str], sets: Iterable[VoterSet]) -> None:
        """Note that these are gone of the sets that have them."""
        if names := [*names]:
            latest = latest_of(sets)
            for name in names:
                if name in latest:
                    self.gone[name] = max(self.gone.get(name, 0), latest[name])

    def keep_gone(self, binding: Iterable[VoterSet]) -> None:
        """Forget who was gone of no other sets than those that don't count any more."""
        gone = [self.gone_of(voters) for voters in binding]
        names = set[str]().union(*gone)
        self.gone = {name: upto for name, upto in self.gone.items() if name in names}

    @property
    def told_gone(self) -> tuple[str, ...]:
        """Return whom others are told of: who is gone of the latest of our sets that has it."""
        latest = latest_of((self.agreed, *self.proposed)) if self.gone else {}
        gone = (name for name, upto in self.gone.items() if 0 < latest.get(name, 0) <= upto)
        return tuple(sorted(gone))[:MAX_VOTERS]

    def known(self, voters: tuple[int, tuple[str, ...]]) -> VoterSet:
        """Return a set that was told, as the object that is known if one is.

        To compare that with itself costs nothing, however many names it has.
        """
        held = (self.agreed, *self.proposed, *self._told)
        if (known := next((it for it in held if it == voters), None)) is None:
            known = VoterSet(*voters)
            self._told.append(known)
        return known

    def binding(self, told: Iterable[Told]) -> list[VoterSet]:
        """Return the sets of which a side needs a majority, by all that its nodes have told."""
        told = list(told)
        agreed = max([self.agreed, *(it.agreed for it in told)])
        proposed = {*self.proposed, *(voters for it in told for voters in it.proposed)}
        return [agreed, *sorted(voters for voters in proposed if voters > agreed)]


class Told(NamedTuple):
    """The sets that another node counts by, and what it does in a split."""

    on_split: str
    agreed: VoterSet
    proposed: tuple[VoterSet, ...]

    def promised(self, names: tuple[str, ...], above: int = 0) -> int:
        """Return the version above that one under which it has promised or agreed a set, or 0."""
        sets = (self.agreed, *self.proposed)
        return max((version for version, of in sets if version > above and of == names), default=0)
