"""Three real nodes whose messages wait until a test delivers them, one at a time and in any order.

Of two nodes, what one says to the other arrives in its order, as on a connection. A key has an
`owner` and a `backup`, and the app is beside the `asker`, which is one of them or the other node.
"""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from sidegate.buckets.decision import Source
from sidegate.client.unreachable.fallback import Fallback
from sidegate.link.in_flight import Asker, Flight
from sidegate.protocol.holds.lease_messages import Borrow, Returned
from sidegate.protocol.holds.reservation_messages import Commit, Reserve
from sidegate.protocol.messages import Answers, Check, Checks, Holdings, Ids, Message, Refund, Trace
from sidegate_sidecar.node.node import Node
from tests.support.in_memory.clusters import YEARLY, Room

MS = 10**6  # ns
BUDGET = 0.05  # seconds
MAX_STEPS = 5_000  # until all is quiet: more is a loop


class TrioLink:
    """A link whose flights end when the test says so."""

    takes_checks = True

    def __init__(self, trio: "Trio", me: str, peer: str) -> None:
        self._trio = trio
        self._way = me, peer
        self.flights: dict[int, Flight] = {}
        self._last_id = 0

    def ask(
        self,
        checks: list[Check],
        hops: int,
        budget: float,
        asker: Asker,
        ids: Ids,
        traces: list[Trace] | None,
    ) -> bool:
        """Send checks."""
        assert traces is None  # nobody traces here
        self._last_id = number = self._last_id + 1
        self.flights[number] = Flight(asker, len(checks))
        frame = Checks(number, hops, int(budget * 1e6), checks, *ids)
        self._trio.send(*self._way, frame)
        return True

    def tell(self, message: Refund | Returned) -> bool:
        """Say it, on the way of the checks."""
        self._trio.send(*self._way, message)
        return True

    async def inspect(self, key: str, *, reset: bool, hops: int, budget: float) -> Holdings | None:
        """Not needed."""
        raise AssertionError((key, reset, hops, budget))

    async def hold(self, question: Callable[[int], Reserve | Commit], budget: float) -> None:
        """Not needed."""
        raise AssertionError((question(0), budget))

    async def borrow(self, question: Callable[[int], Borrow], budget: float) -> None:
        """Not needed."""
        raise AssertionError((question(0), budget))

    def lacks(self, kind: type[Message]) -> str:
        """Not needed."""
        raise AssertionError(kind)

    def answered(self, answers: Answers) -> None:
        """Hand over what isn't too late."""
        if (flight := self.flights.get(answers.id)) is not None:
            flight.land(answers)
            if not flight.left:
                del self.flights[answers.id]

    def give_up(self, number: int) -> None:
        """Have a budget run out."""
        self.flights.pop(number).crash()


class TrioLinks:
    """The links of one node."""

    def __init__(self, trio: "Trio", me: str) -> None:
        self.by_name = {peer: TrioLink(trio, me, peer) for peer in trio.room.nodes if peer != me}

    def link_to(self, name: str, /) -> TrioLink | None:
        """Return the link to a node."""
        return self.by_name.get(name)


class Trio:
    """Nodes a, b and c, one key at a time, and what the app was told of its checks."""

    def __init__(self, asker: str, limit: str = YEARLY) -> None:
        self.room = Room("abc")
        self.limit = limit
        self.ways: dict[tuple[str, str], deque[Any]] = {}
        self.links = {name: TrioLinks(self, name) for name in self.room.nodes}
        self.nodes = {name: self._node(name) for name in self.room.nodes}
        self._role = asker

    def begin(self, seed: int) -> None:
        """Take another key, and forget what was."""
        self.random = Random(seed)
        self.key = f"k{seed}"
        self.owner, self.backup = self.room["a"].ring.pair(self.key)
        [other] = self.room.nodes.keys() - {self.owner, self.backup}
        self.asker = {"other": other, "backup": self.backup, "owner": self.owner}[self._role]
        self.told: list[Answers] = []

    def _node(self, name: str) -> Node:
        cluster = self.room[name]
        return Node(
            name,
            cluster.table,
            cluster,
            self.links[name],
            Fallback("open", cluster.table),
            budget=BUDGET,
            clock=lambda: self.room.now,
            serial=ord(name) << 40,
        )

    # --- what a test does

    def ask(self, checks: int = 1) -> None:
        """Have the app ask, in one frame."""
        frame = Checks(1, 0, int(BUDGET * 1e6), [(self.key, self.limit, 1)] * checks)
        self.nodes[self.asker].decide(frame, self.told.append)

    def refund(self, answers: Answers) -> int:
        """Have the app give back what answers have charged; return how many tokens."""
        if answers.source not in {Source.OWNER, Source.BACKUP}:
            return 0
        charged = [(self.key, self.limit, 1) for answer in answers.answers if answer[0] == 1]
        self.nodes[self.asker].refund(Refund(0, charged))
        return len(charged)

    def give_up(self, name: str, peer: str) -> None:
        """Have all budgets of what one node has asked another run out."""
        link = self.links[name].by_name[peer]
        for number in list(link.flights):
            link.give_up(number)

    def send(self, sender: str, to: str, message: Any) -> None:
        """Put a message on its way."""
        self.ways.setdefault((sender, to), deque()).append(message)

    def deliver(self, sender: str, to: str) -> None:
        """Have the next message of one node to another arrive."""
        message = self.ways[sender, to].popleft()
        match message:
            case Checks():
                self.nodes[to].decide(message, lambda it: self.send(to, sender, it), sender)
            case Answers():
                self.links[to].by_name[sender].answered(message)
            case Refund():
                self.nodes[to].refund(message)
            case _:
                for name, reply in self.room[to].sync.step(sender, message, self.room.now):
                    self.send(to, name, reply)

    def tick(self, name: str) -> None:
        """Have a node flush what is due."""
        for to, message in self.room[name].sync.tick(self.room.now):
            self.send(name, to, message)

    def pass_time(self, ms: int) -> None:
        """Let time pass; no node notices that it stood still."""
        self.room.now += ms * MS
        for cluster in self.room.nodes.values():
            cluster.late_at = self.room.now + 10**9

    # --- at random, and to the end

    def step(self) -> None:
        """Do one of all things that may happen next."""
        open_ways = [way for way, messages in self.ways.items() if messages]
        flights = [
            (link, number)
            for links in self.links.values()
            for link in links.by_name.values()
            for number in link.flights
        ]
        match self.random.randrange(8):
            case 0 if flights:
                link, number = self.random.choice(flights)
                link.give_up(number)
            case 1 | 2:
                self.tick(self.random.choice("abc"))
            case 3:
                self.pass_time(self.random.randrange(1, 60))
            case _ if open_ways:
                self.deliver(*self.random.choice(open_ways))
            case _:
                pass

    def finish(self) -> None:
        """Have everything arrive, and all nodes do all that is due."""
        for _ in range(MAX_STEPS):
            while waiting := [way for way, messages in self.ways.items() if messages]:
                self.deliver(*waiting[0])
            if all(it.sync.idle for it in self.room.nodes.values()):
                return
            self.pass_time(100)
            for name in self.room.nodes:
                self.tick(name)
        raise AssertionError("they don't stop talking")

    # --- what came of it

    @property
    def admitted(self) -> int:
        """Count the checks that the app was told are allowed."""
        return sum(answer[0] == 1 for it in self.told for answer in it.answers)

    @property
    def refused(self) -> int:
        """Count the checks that the asker itself refused, since nobody had answered in time."""
        answers = [answer for it in self.told if it.source == "local" for answer in it.answers]
        return sum(answer[0] == 0 for answer in answers)

    def tokens(self, name: str) -> int:
        """Return what the key owes, as far as a node knows."""
        held = self.room[name].table.held(self.key, self.room.now)
        debts = [debt for limit, debt in held if limit.text == self.limit]
        return -(-sum(debts) // self.token)

    @property
    def token(self) -> int:
        """Return the ns of a token, less what is paid while a test lasts."""
        return 365 * 86_400 * 10**9 // int(self.limit.split("/")[0])
