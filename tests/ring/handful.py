"""A handful of real Memberships in one room: what one says the others hear at once, or not."""

from collections.abc import Callable, Iterable
from random import Random

from sidegate_ring.membership.membership import (
    Effects,
    Life,
    Member,
    Membership,
    Rumor,
    SwimKind,
    SwimMessage,
    Timing,
)
from sidegate_ring.membership.messages import OWNER, role_of

TICK = 0.05
MAX_IN_A_TURN = 2_000  # messages that one event may lead to, in a handful of nodes: else a loop
T = Timing()


class Handful:
    """Nodes a, b, c, … that know each other, but leaves no leaves.

    `deaf` hear nothing, and what they say is lost.
    """

    def __init__(self, names: str, timing: Timing = T, seed: int = 0, leaves: str = "") -> None:
        self.now = 100.0
        self.timing = timing
        self.leaves = leaves  # of the names
        self.deaf: set[str] = set()
        self.log: list[tuple[str, str, SwimMessage]] = []
        self.changed: list[tuple[str, str, Life]] = []  # for whom, who, and what it is now
        self.random = Random(seed)
        self.nodes = {name: self.make(name) for name in names}
        everyone = [node.me for node in self.nodes.values()]
        for node in self.nodes.values():
            known = [it for it in everyone if not (it.is_leaf and node.me.is_leaf)]
            self.tell(node, *(it.rumor for it in known))
        self.run(2.0)  # until that is no news any more
        self.forget()

    def make(self, name: str, incarnation: int = 10) -> Membership:
        is_leaf = name in self.leaves
        return Membership(
            name,
            f"{name}:4222",
            incarnation=incarnation,
            randrange=self.random.randrange,
            timing=self.timing,
            now=self.now,
            owner=not is_leaf,
            role=role_of(leaf=is_leaf),
        )

    def __getitem__(self, name: str) -> Membership:
        return self.nodes[name]

    def tell(self, node: Membership, *rumors: Rumor, kind: SwimKind = SwimKind.RUMORS) -> Effects:
        """Have a node hear rumors from a stranger; what it says to that goes nowhere."""
        return node.step("stranger", SwimMessage(kind, 0, "", "", rumors), self.now)

    def do(self, name: str, outcome: Effects) -> None:
        """Deliver what a node says, and what that leads to, until all are silent."""
        waiting = self._note(name, outcome)
        before = len(self.log)
        while waiting:
            sender, to, gossip = waiting.pop(0)
            self.log.append((sender, to, gossip))
            assert len(self.log) - before < MAX_IN_A_TURN
            if to in self.nodes and not {sender, to} & self.deaf:
                waiting += self._note(to, self.nodes[to].step(sender, gossip, self.now))

    def _note(self, name: str, outcome: Effects) -> list[tuple[str, str, SwimMessage]]:
        self.changed += [(name, member.name, member.state) for member in outcome.changed]
        return [(name, to, gossip) for to, gossip in outcome.sends]

    def run(self, seconds: float, only: Iterable[str] | None = None) -> None:
        """Let time pass, for all or for some."""
        end = self.now + seconds
        while self.now < end:
            self.now += TICK
            for name in self.nodes if only is None else only:
                self.do(name, self.nodes[name].tick(self.now))

    def run_until(self, condition: Callable[[], object], within: float = 60.0) -> None:
        """Let time pass until something is so."""
        end = self.now + within
        while not condition():
            assert self.now < end
            self.run(TICK)

    def forget(self) -> None:
        """Look only at what comes from here on."""
        self.log.clear()
        self.changed.clear()

    def said(self, kind: SwimKind, sender: str = "", to: str = "") -> list[SwimMessage]:
        """Return the messages of one kind, from one node, to one node."""
        return [
            gossip
            for by, whom, gossip in self.log
            if gossip.kind == kind and sender in {"", by} and to in {"", whom}
        ]

    def state(self, of: str, by: str) -> Life:
        """Return what one node thinks of another."""
        return self.nodes[by].members[of].state


def rumor(
    name: str,
    incarnation: int = 10,
    state: Life = Life.ALIVE,
    *,
    owner: int = 1,
    by: str = "",
    address: str = "",
) -> Rumor:
    """Return a rumor, at the address that the node has in a Handful."""
    address = address or f"{name}:4222"
    return Rumor(name, address, incarnation, int(state), owner, by, role=OWNER)


def record(member: Member) -> tuple[int, Life]:
    """Return what decides which of two records holds."""
    return member.incarnation, member.state
