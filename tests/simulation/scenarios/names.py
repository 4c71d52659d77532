"""Scenarios of two processes with one name: whatever they say of themselves, one of them has it."""

from collections.abc import Callable
from typing import Final

from sidegate_ring.membership.membership import Effects, Member, SwimMessage
from sidegate_ring.membership.messages import tag_of
from tests.simulation.network import Faults
from tests.simulation.scenarios.agents import Agent, Cluster

SECOND: Final = "'"  # ends the host of the second process of a name
FOUND_WITHIN: Final = 5.0  # seconds from when both are awake until all know whose the name is


def name_of(host: str) -> str:
    """Return how the node on a host calls itself."""
    return host.removesuffix(SECOND)


class Named(Agent):
    """A node that claims its name, and speaks to those who have claimed theirs.

    It listens to both processes of a name, and answers either: in this world nobody refuses one.
    """

    def __init__(self, cluster: Cluster, host: str) -> None:
        super().__init__(cluster, host, name=name_of(host))
        self.tag = int(host.endswith(SECOND))
        self.incarnation = cluster.incarnation()
        self._heard = ""  # the host whose word is being answered
        self.addresses: list[str] = []  # of the namesakes, as this node has come to know them

    def claim(self) -> None:
        """Join."""
        self.act(self.membership.claim(self.tag, self.incarnation, self.network.now))

    def host_of(self, name: str) -> str:
        """Return where the process is that has a name, or that has just spoken under it."""
        if self._heard and name == name_of(self._heard):
            return self._heard
        member = self.membership.members.get(name)
        return name + SECOND if member and tag_of(member.claim) else name

    def receive(self, sender: str, message: SwimMessage) -> None:
        self._heard = sender
        super().receive(name_of(sender), message)
        self._heard = ""
        if self.membership.is_replaced:
            outcome = self.membership.announce(self.network.now, owner=False)
            self.membership.disclaim()
            self.act(outcome)

    def on_connected(self, name: str) -> None:
        self._heard = name
        super().on_connected(name_of(name))
        self._heard = ""

    def on_disconnected(self, name: str) -> None:
        if name == self.host_of(name_of(name)):
            super().on_disconnected(name_of(name))

    def act(self, outcome: Effects) -> None:
        for to, gossip in outcome.sends:
            self.network.send(self.name, self.host_of(to), gossip)
        for member in outcome.changed:
            self._note(member)

    def _note(self, member: Member) -> None:
        if member.living and member.name != self.membership.me.name:
            self.addresses.append(member.address)
            self.network.dial(self.name, self.host_of(member.name))

    def _dial(self) -> None:
        it = self.membership
        hosts = [self.host_of(member.name) for member in [*it.living(), *it.dead()]]
        for host in dict.fromkeys([*hosts, *self.seeds]):
            if host != self.name and not self.network.connected(self.name, host):
                self.network.dial(self.name, host)


def namesakes(seed: int) -> None:
    """Have another process take the name of a node that stands still, or not; then both are awake.

    Before it joins it disturbs nobody. Once it has, all know it and no longer the first one, which
    knows that too; and nobody goes back.
    """
    world = Cluster(seed, Faults(loss=0.02, ordered=True))
    random, network = world.network.random, world.network
    names = [f"n{at}" for at in range(2 + random.randrange(5))]
    agents = {name: Named(world, name) for name in names}
    for agent in agents.values():
        agent.seeds = names
        agent.start()
        agent.claim()
    network.run(3.0)
    victim = random.choice(names)
    stands_still = random.random() < 0.7
    if stands_still:
        network.pause(victim)
        network.run(random.random() * 8)
    first, second = agents.pop(victim), Named(world, victim + SECOND)
    others = [name for name in names if name != victim]
    second.seeds = random.sample(others, 1 + random.randrange(len(others)))
    for agent in agents.values():
        agent.addresses.clear()
    second.start()
    network.run(random.random() * 3)
    theirs, said = second.membership.me.address, f"seed {seed}: {victim}"
    for name, agent in agents.items():
        assert theirs not in agent.addresses, f"{said}: {name} took it for one that had not joined"
    second.claim()
    network.run(random.random() * 2)
    if stands_still:
        network.resume(victim)

    def is_known() -> bool:
        found = [agent.membership.members[victim] for agent in agents.values()]
        return all(it.address == theirs and it.living for it in found)

    took = network.run_until(lambda: is_known() and not first.membership.me.claim, FOUND_WITHIN)
    assert took is not None, f"{said}: some don't know whose its name is"
    for agent in agents.values():
        agent.addresses.clear()
    network.run(5.0)
    assert is_known(), f"{said}: the second one was lost"
    assert second.membership.me.claim, f"{said}: the second one gave up its name"
    for name, agent in agents.items():
        assert first.membership.me.address not in agent.addresses, f"{said}: {name} went back"


SMALL: Final[tuple[Callable[[int], object], ...]] = (namesakes,)
