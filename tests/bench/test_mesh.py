"""A mesh of real sidecars: who is added has joined, and who isn't kept is killed."""

from pathlib import Path

import pytest
from bench.lab.gauges import gauges
from bench.lab.mesh import LEAF, OWNER, mesh
from bench.results import VoidError
from bench.sizing import cold_starts


async def test_who_is_not_kept_is_killed(tmp_path: Path) -> None:
    async with mesh(tmp_path) as nodes:
        await nodes.add(1, OWNER)
        await nodes.add(2, LEAF)
        first, *others = list(nodes.nodes)
        assert all([await node.is_ready(nodes.http) for node in (first, *others)])
        nodes.kill(keep=1)
        assert [node.process.wait(10) for node in others] == [-9, -9]
        assert await first.is_ready(nodes.http)
        assert nodes.nodes == [first]
        assert nodes.roles == {first.name: OWNER}
    assert first.process.returncode == -9


async def test_who_does_not_join_in_time_is_no_member(tmp_path: Path) -> None:
    async with mesh(tmp_path) as nodes:
        with pytest.raises(VoidError, match="m1 is not ready"):
            await nodes.add(1, OWNER, within=-1.0)
        assert nodes.nodes == []
        nodes.kill()
        nodes.kill()  # of none is fine


async def test_who_begins_at_the_same_time_is_in_the_mesh_at_once_and_joins_all_others(
    tmp_path: Path,
) -> None:
    async with mesh(tmp_path) as nodes:
        nodes.begin(3, OWNER)
        assert [*nodes.roles] == [node.name for node in nodes.nodes] == ["m1", "m2", "m3"]
        await cold_starts.until_whole(nodes)
        for node in nodes.nodes:
            assert (await gauges(nodes.http, node))["sidegate_ring_nodes"] == 3
