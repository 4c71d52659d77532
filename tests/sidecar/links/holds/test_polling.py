"""What a sidecar looks at every 20 ms, and that it doesn't while nobody uses it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from sidegate_sidecar.links.holds.slot_links import SlotLinks
from sidegate_sidecar.links.polling import Polling
from sidegate_sidecar.process import Process
from tests.support.in_process.caching import caches, key_at
from tests.support.in_process.cluster import client, cluster, eventually, key_of

PATIENT = 20.0  # seconds
TICKS = 5


class Clockwork:
    """Something to tell the time, which notes how often it is told."""

    def __init__(self, *, is_idle: bool = False, more: bool = False) -> None:
        self.is_idle = is_idle
        self.more = more
        self.ticks = 0
        self.enough = asyncio.Event()

    def tick(self, _now: int) -> bool:
        """Count."""
        self.ticks += 1
        if self.ticks >= TICKS:
            self.enough.set()
        return self.more


async def some_ticks() -> None:
    """Return when others have been told the time TICKS times."""
    other = Clockwork()
    task = asyncio.create_task(Polling(other, time.monotonic_ns).run())
    await other.enough.wait()
    task.cancel()


@pytest.mark.parametrize("more", [False, True])
async def test_it_ticks_until_there_is_nothing_to_do_and_again_when_there_is(more: bool) -> None:
    polled = Clockwork(more=more)
    polling = Polling(polled, time.monotonic_ns)
    task = asyncio.create_task(polling.run())
    await polled.enough.wait()
    polled.is_idle = True
    await eventually(lambda: polling.rests)
    before = polled.ticks
    polling.look()
    await some_ticks()
    assert (polled.ticks, polling.rests) == (before, True)
    polled.is_idle = False
    polling.look()
    polled.enough.clear()
    await polled.enough.wait()
    assert polled.ticks > before
    task.cancel()


# --- in a sidecar


@pytest.fixture
async def pair() -> AsyncIterator[list[Process]]:
    """Two sidecars that rest."""
    async with cluster("a", "b") as nodes:
        await eventually(lambda: all(map(rests, nodes)))
        yield nodes


def rests(node: Process) -> bool:
    """Do its slots and its cache?"""
    assert node.cache is not None
    return node.sessions.slots.polling.rests and node.cache.polling.rests


async def test_one_that_nobody_uses_does_not_tick(
    pair: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one that is asked about limits only."""
    told = Clockwork()
    for node in pair:
        assert node.cache is not None
        monkeypatch.setattr(node.sessions.slots.node, "tick", told.tick)
        monkeypatch.setattr(node.cache.node, "tick", told.tick)
    async with client(pair[0]) as asking:
        for at in range(20):
            await asking.check(f"key{at}", "10/minute")
        await some_ticks()
    assert told.ticks == 0


@pytest.mark.parametrize("owner", ["a", "b"])
async def test_slots_after_a_rest_end_with_their_ttl(pair: list[Process], owner: str) -> None:
    """And who waits for one is given it; afterwards all rest again."""
    key = key_of(owner, pair[0].cluster.ring)
    async with client(pair[0]) as one, client(pair[1]) as other, one.slot(key, 1, ttl=0.3):
        assert not any(map(rests, [pair["ab".index(owner)], pair[0]]))
        async with other.slot(key, 1, timeout=PATIENT) as got:
            assert (got.in_flight, got.source) == (1, "owner")
    await eventually(lambda: all(map(rests, pair)))


def another_ring(slots: SlotLinks) -> None:
    slots.ring_changed()


def link_lost(slots: SlotLinks) -> None:
    slots.node_left("b")


@pytest.mark.parametrize("happens", [another_ring, link_lost])
async def test_slots_do_not_rest_before_they_have_forgotten_who_decided(
    pair: list[Process], happens: Callable[[SlotLinks], None]
) -> None:
    slots = pair[0].sessions.slots
    happens(slots)
    assert not slots.polling.rests
    await eventually(lambda: slots.polling.rests)


async def test_what_an_app_holds_after_a_rest_is_free_when_its_link_breaks(
    pair: list[Process],
) -> None:
    gone = client(pair[0])
    await gone.slot("key", 1).__aenter__()
    assert not rests(pair[0])
    await gone.close()
    await eventually(lambda: all(map(rests, pair)))


@pytest.mark.parametrize("owner", [0, 1])
async def test_a_lease_after_a_rest_keeps_its_owner_awake(owner: int) -> None:
    """Until it is over, whoever waits for it meanwhile."""
    async with cluster("a", "b", budget=1.0) as pair, caches(*pair, lease=0.3) as (one, other):
        await eventually(lambda: all(map(rests, pair)))
        key, begun, never = key_at(pair[owner]), asyncio.Event(), asyncio.Event()

        async def hangs() -> str:
            begun.set()
            await never.wait()
            return "late"

        first = asyncio.create_task(one.get_or_set(key, hangs))
        await begun.wait()
        assert not any(map(rests, {pair[0], pair[owner]}))
        assert await other.get_or_set(key, lambda: "in time") == "in time"
        first.cancel()
        await one.close()
        await eventually(lambda: all(map(rests, pair)))


async def test_another_ring_wakes_all(pair: list[Process]) -> None:
    """What is held is told to its new owner, and values are handed over."""
    async with caches(*pair) as (cache, _):
        for at in range(50):
            assert await cache.set(f"k{at}", at)
        await eventually(lambda: all(map(rests, pair)))
        second = pair[1]
        assert second.cache is not None
        await second.leave()
        assert len(second.cache.node.owner.store) == 0
        assert [await cache.get(f"k{at}") for at in range(50)] == list(range(50))
