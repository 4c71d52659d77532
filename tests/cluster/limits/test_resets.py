"""Resets while a node is away: when it is back, with what it had saved, they still hold."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from sidegate.protocol.key_messages import ResetKeys
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import are_one_ring, client, config, eventually, sources

Reset: TypeAlias = Callable[[Process], Awaitable[None]]

LIMIT = "10/hour"
KEYS = [f"key{at}" for at in range(40)]


def has_spent(node: Process) -> bool:
    """Tell if a node holds all keys, as their owner or backup."""
    return all(node.node.buckets.held(key, node.clock()) for key in KEYS)


async def reset_all(node: Process) -> None:
    """Reset all keys."""
    await asyncio.gather(*(node.node.inspect(key, reset=True) for key in KEYS))


async def reset_prefix(node: Process) -> None:
    """Reset all keys by how they begin."""
    await node.sessions.keys.reset(ResetKeys(0, 0, "key"))


async def all_are_full(node: Process) -> None:
    """Fail unless all keys have all their tokens, by whoever owns them."""
    async with client(node) as asking:
        looks = await asyncio.gather(*(asking.check(key, LIMIT, 0) for key in KEYS))
    assert sources(looks).keys() == {"owner"}
    assert {look.remaining for look in looks} == {10}


@pytest.mark.parametrize("reset", [reset_all, reset_prefix])
async def test_a_state_file_from_before_a_reset_brings_nothing_back(
    reset: Reset, tmp_path: Path
) -> None:
    """A node comes back with the buckets that it had saved, and hears which were reset."""
    async with Process(config("n1")) as one:
        options = {"seeds": (one.link,), "state_file": str(tmp_path / "n2")}
        async with Process(config("n2", **options)) as two:
            await eventually(lambda: are_one_ring([one, two]))
            async with client(one) as asking:
                await asyncio.gather(*(asking.check(key, LIMIT, 10) for key in KEYS))
            await eventually(lambda: has_spent(one) and has_spent(two))
            assert two.state
            assert await two.state.save() == len(KEYS)
        await eventually(lambda: one.cluster.ring.nodes == ("n1",))
        await reset(one)
        async with Process(config("n2", **options)) as two:
            assert has_spent(two)
            await eventually(lambda: are_one_ring([one, two]))
            await all_are_full(one)


@pytest.mark.parametrize("reset", [reset_all, reset_prefix])
async def test_a_reset_is_saved_with_the_buckets(reset: Reset, tmp_path: Path) -> None:
    """The node where it was made is away when the other one comes back: its file knows of it."""
    async with Process(config("n2", state_file=str(tmp_path / "n2"))) as two:
        async with client(two) as asking:
            await asyncio.gather(*(asking.check(key, LIMIT, 10) for key in KEYS))
        assert two.state
        await two.state.save()
    (tmp_path / "n1").write_bytes((tmp_path / "n2").read_bytes())
    async with Process(config("n1", state_file=str(tmp_path / "n1"))) as one:
        assert has_spent(one)
        await eventually(lambda: one.ready)
        await reset(one)
        assert one.state
        await one.state.save()
    async with Process(config("n1", state_file=str(tmp_path / "n1"))) as one:
        options = {"seeds": (one.link,), "state_file": str(tmp_path / "n2")}
        async with Process(config("n2", **options)) as two:
            assert has_spent(two)
            await eventually(lambda: are_one_ring([one, two]))
            await all_are_full(two)
