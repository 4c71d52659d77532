"""What a cluster admits: exactly the limit, whoever is asked, and however many ask at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from itertools import cycle

import pytest
import pytest_asyncio

from sidegate.buckets.decision import Decision, Source
from sidegate.protocol.messages import Forget, Holdings, Reset
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import (
    admitted,
    client,
    clients,
    cluster,
    eventually,
    key_of,
)
from tests.support.in_process.puppets import APP, bare

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes() -> AsyncGenerator[list[Process]]:
    """Run three sidecars for all tests, each of which has its own keys."""
    async with cluster("n1", "n2", "n3") as nodes:
        yield nodes


@dataclass(frozen=True)
class Scenario:
    """Checks made all at once, in turn over three sidecars."""

    name: str
    limits: str
    admitted: int  # of each key
    checks: int = 3_000
    keys: int = 1
    cost: int = 1
    clients: int = 1  # at each sidecar

    def __str__(self) -> str:
        return self.name


SCENARIOS = [  # windows so long that no token comes back meanwhile, on however busy a machine
    Scenario("one_key", "1000/day", admitted=1_000),
    Scenario("thirty_keys_of_all_owners", "40/day", admitted=40, keys=30),
    Scenario("sixty_clients", "1000/day", admitted=1_000, clients=20),
    Scenario("a_hundred_clients_of_ten_keys", "250/day", admitted=250, keys=10, clients=34),
    Scenario("more_than_fits_in_a_frame", "10000/year", admitted=10_000, checks=15_000),
    Scenario("a_limit_that_nobody_reaches", "3000/month", admitted=3_000),
    Scenario("a_limit_of_one", "1/day", admitted=1),
    Scenario("a_burst_above_the_rate", "10/hour burst 700", admitted=700),
    Scenario("a_burst_below_the_rate", "1000/day burst 10", admitted=10),
    Scenario("a_cost_of_seven", "1000/day", admitted=142, cost=7),
    Scenario("two_limits", "500/day; 2000/week", admitted=500),
    Scenario("eight_limits", "9/d; 8/d; 7/d; 6/d; 5/d; 4/d; 3/d; 2/d", admitted=2),
    Scenario("a_cost_of_nothing", "1/day", admitted=3_000, cost=0),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
async def test_all_together_admit_exactly_the_limit(
    nodes: list[Process], scenario: Scenario
) -> None:
    """Checks made at once over three sidecars admit exactly what the limit says, by the owner."""
    keys = [f"{scenario}{at % scenario.keys}" for at in range(scenario.checks)]
    async with clients(*nodes * scenario.clients) as asking:
        decisions = await asyncio.gather(
            *(
                who.check(key, scenario.limits, scenario.cost)
                for key, who in zip(keys, cycle(asking), strict=False)
            )
        )
    allowed = Counter(key for key, it in zip(keys, decisions, strict=True) if it.allowed)
    assert allowed == dict.fromkeys(keys, scenario.admitted)
    owner_of = nodes[0].cluster.ring.owner
    decided_by = {(key, it.node, it.source) for key, it in zip(keys, decisions, strict=True)}
    assert decided_by == {(key, owner_of(key), Source.OWNER) for key in keys}


async def test_a_refused_check_charges_none_of_its_limits(nodes: list[Process]) -> None:
    """Of "10/hour; 50/day" only what was allowed counts against the day."""
    async with clients(*nodes) as asking:
        await asyncio.gather(
            *(asking[at % 3].check("partial", "10/hour; 50/day") for at in range(600))
        )
        left = await asking[0].check("partial", "10/hour; 50/day", 0)
    assert [left.remaining_of(0), left.remaining_of(1)] == [0, 40]


async def test_a_fast_and_a_slow_limit_hold_together(nodes: list[Process]) -> None:
    """With "10/second; 50/hour" seconds may pass and refill, but the hour ends at 50."""
    decisions: list[Decision] = []
    async with clients(*nodes) as asking:
        while admitted(decisions) < 20:  # that takes a second of refill
            decisions += await asyncio.gather(
                *(who.check("fast", "10/second; 50/hour") for who in asking)
            )
        left = await asking[1].check("fast", "10/second; 50/hour", 0)
    assert left.remaining_of(1) == 50 - admitted(decisions)


async def test_all_askers_see_the_same_bucket(nodes: list[Process]) -> None:
    """What one asker spends is missing for the others, at once and to the token."""
    async with clients(*nodes, *nodes) as asking:
        left = [(await who.check("same", "100/day", 3)).remaining for who in asking]
        assert left == [97, 94, 91, 88, 85, 82]
        assert {(await who.check("same", "100/day", 0)).remaining for who in asking} == {82}


@pytest.mark.parametrize("owner", ["n1", "n2", "n3"])
async def test_a_look_costs_nothing(nodes: list[Process], owner: str) -> None:
    """A check of cost 0 is always allowed and leaves the bucket as it is, whoever owns it."""
    key = key_of(owner, nodes[0].cluster.ring, "look")
    async with client(nodes[0]) as asking:
        assert (await asking.check(key, "2/hour", 2)).remaining == 0
        looks = [await asking.check(key, "2/hour", 0) for _ in range(5)]
        seen = [(look.allowed, look.remaining, look.node) for look in looks]
        assert seen == [(True, 0, owner)] * 5
        assert not (await asking.check(key, "2/hour")).allowed


@pytest.mark.parametrize("owner", ["n1", "n2", "n3"])
async def test_a_reset_at_any_node_holds_at_all(nodes: list[Process], owner: str) -> None:
    """A reset goes to the owner by whatever node was asked; then the bucket is full for all.

    Apps are told, and no copy is left anywhere.
    """
    key = key_of(owner, nodes[0].cluster.ring, "reset")
    async with clients(*nodes) as asking, bare(nodes[0], APP) as peer:
        await asyncio.gather(*(asking[1].check(key, "5/hour") for _ in range(9)))
        await peer.send(Reset(77, 0, key))
        told = [await peer.next(), await peer.next()]
        assert Forget(key) in told
        [forgotten] = [message for message in told if isinstance(message, Holdings)]
        assert (forgotten.id, forgotten.source, forgotten.node) == (77, Source.OWNER, owner)
        assert [limit for limit, _ in forgotten.buckets] == ["5/hour"]
        await eventually(lambda: not any(it.node.buckets.held(key, it.clock()) for it in nodes))
        decisions = await asyncio.gather(*(who.check(key, "5/hour") for who in asking * 3))
    assert admitted(decisions) == 5


async def test_any_node_tells_what_the_owner_holds(nodes: list[Process]) -> None:
    """Inspecting a key gives the same buckets, wherever it is asked."""
    async with client(nodes[0]) as asking:
        await asking.check("told", "5/hour; 7/day", 2)
    told = [await node.node.inspect("told") for node in nodes]
    owner = nodes[0].cluster.ring.owner("told")
    assert {(it.source, it.node) for it in told if it} == {(Source.OWNER, owner)}
    held = [sorted(limit for limit, _ in it.buckets) for it in told if it]
    assert held == [["5/hour", "7/day"]] * 3


async def test_sidecars_count_each_check_once_where_it_was_asked(nodes: list[Process]) -> None:
    """What apps asked is counted at the node that they asked, by source and outcome."""
    before = [node.node.counts.checks for node in nodes]
    async with clients(*nodes) as asking:
        await asyncio.gather(*(asking[at % 3].check("counted", "100/day") for at in range(300)))
    counted = [node.node.counts.checks - then for node, then in zip(nodes, before, strict=True)]
    by_apps = [
        {outcome: count for (asker, _, outcome), count in counts.items() if asker == "app"}
        for counts in counted
    ]
    assert [sum(outcomes.values()) for outcomes in by_apps] == [100, 100, 100]
    assert sum(outcomes.get("allowed", 0) for outcomes in by_apps) == 100
    assert [sum(node.node.counts.unanswered.values()) for node in nodes] == [0, 0, 0]


async def test_a_unix_socket_leads_to_the_same_buckets(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """An app on the Unix socket and one on TCP share a bucket."""
    path = f"{tmp_path_factory.mktemp('s')}/s"
    async with (
        cluster("n1", socket=path) as (node,),
        clients(node, f"unix:{path}") as asking,
    ):
        decisions = await asyncio.gather(*(who.check("k", "9/day") for who in asking * 10))
    assert admitted(decisions) == 9
