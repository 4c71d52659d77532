"""Checks that cannot be decided: each gets its reason, whoever is asked, and harms no other."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from sidegate.link.health import LinkState
from sidegate.protocol.messages import MAX_CHECKS
from sidegate_sidecar.config import Role
from sidegate_sidecar.process import Process
from tests.sidecar.node.beside_puppets import SOON, answer_each, beside_a_puppet, make
from tests.support.in_process.cluster import cluster, key_of
from tests.support.in_process.puppets import APP, bare


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two() -> AsyncGenerator[list[Process]]:
    """Run two sidecars for many tests."""
    async with cluster("n1", "n2") as nodes:
        yield nodes


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (("k" * 10_000, "5/day", 1), "key of 10000 bytes: expected at most 512 bytes"),
        (("é" * 257, "5/day", 1), "key of 514 bytes"),
        (("k", "", 1), "nothing here"),
        (("k", "a hundred a day", 1), '"a hundred a day"'),
        (("k", "5/fortnight", 1), 'unknown unit "fortnight"'),
        (("k", "5/day; 5/day", 1), '"5/day"'),
        (("k", "9/d; 8/d; 7/d; 6/d; 5/d; 4/d; 3/d; 2/d; 1/d", 1), "at most 8 limits, not 9"),
        (("k", "5" * 3_000, 1), "at most 1024 characters"),
        (("k", "0/day burst 2", 1), "without tokens"),
        (("k", "1.5/day", 1), "a fraction"),
        (("k", "5/day", -1), "cost -1: expected 0 to 5"),
        (("k", "5/day", 6), "cost 6: expected 0 to 5"),
        (("k", "5/day; 3/hour", 4), "cost 4: expected 0 to 3"),
        (("k", "5/day", 2**63 - 1), "cost 9223372036854775807: expected 0 to 5"),
    ],
)
@pytest.mark.parametrize("owner", ["n1", "n2"])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_check_that_cannot_be_decided_gets_its_reason(
    two: list[Process], check: tuple[str, str, int], text: str, owner: str
) -> None:
    """A bad check is answered by a text that names the value, the ones beside it are decided."""
    counts = two[0].node.counts
    before = counts.checks["app", "owner", "error"]
    async with bare(two[0], APP) as peer:
        good = (key_of(owner, two[0].cluster.ring), "1000/day", 1)
        first, reason, last = await answer_each(peer, good, check, good)
        assert isinstance(reason, str)
        assert text in reason
        assert (first[0], last[0]) == (1, 1)
    assert counts.checks["app", "owner", "error"] == before + 1


async def test_a_key_may_be_as_long_as_it_may_at_every_node() -> None:
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as peer:
        keys = [f"{at:03}" + "é" * 254 + "x" for at in range(20)]
        answers = await answer_each(peer, *((key, "5/day", 1) for key in keys))
        assert [answer[0] for answer in answers] == [1] * 20


@pytest.mark.parametrize("owner", ["n1", "n2"])
async def test_reasons_for_a_whole_frame_fit_into_one(owner: str) -> None:
    """4,096 checks that can't be decided are answered by the owner, and break no link."""
    bad = f"1/{'x' * 100}; 1/day"  # quoted twice, and once more its unit
    async with cluster("n1", "n2") as nodes, bare(nodes[0], APP) as peer:
        key = key_of(owner, nodes[0].cluster.ring)
        answers = await answer_each(peer, *[(key, bad, 1)] * MAX_CHECKS)
        assert all(isinstance(answer, str) and "1/xxx" in answer for answer in answers)
        assert nodes[0].peers.by_name["n2"].state is LinkState.UP
        assert not nodes[0].node.counts.unanswered


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("how", ["gone", "silent"])
async def test_bad_checks_are_told_so_even_without_the_owner(role: Role, how: str) -> None:
    """Neither a policy nor a backup hides that a check makes no sense."""
    async with beside_a_puppet(budget=SOON, role=role) as (node, other, peer, key):
        long = key_of("n2", node.cluster.ring, "é" * 256)
        await make(how, node, other)
        bad = [(key, "x", 1), (key, "5/day", 6), (key, "5/day", -1), (long, "5/day", 1)]
        answers = await answer_each(peer, (key, "5/day", 1), *bad, ("k" * 513, "5/day", 1))
        assert answers[0][0] == 1
        assert [type(answer) for answer in answers[1:]] == [str] * 5
        if how == "gone":
            await other.start()
