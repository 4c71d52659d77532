"""The demo's story: how long its parts are, and what it says of them."""

import asyncio
import re
from collections.abc import Sequence
from itertools import chain
from math import inf

import pytest

from sidegate.buckets.decision import Source
from sidegate_sidecar.demo.cluster import DemoCluster
from sidegate_sidecar.demo.setting import KEYS, NAMES
from sidegate_sidecar.demo.story import Story, StoryPhase, StoryTimes, times_of
from sidegate_sidecar.demo.summary import phases
from sidegate_sidecar.loadtest.send.outcome import Outcome
from sidegate_sidecar.loadtest.send.record import Records
from sidegate_sidecar.loadtest.send.sender import Sender, Target
from sidegate_sidecar.loadtest.show.display import WatchedRun, display
from tests.sidecar.loadtest.records import DENIED, facts, note
from tests.support.in_process.cluster import eventually


@pytest.mark.parametrize(
    ("seconds", "steady", "dead", "total"),
    [
        (15, 6, 3, 15),
        (1, 2.4, 1.2, 6),
        (300, 120, 10, 300),
        (9_999, 1_440, 10, 3_600),
        (None, 5, 3, inf),
        (inf, 5, 3, inf),
    ],
)
def test_the_parts_fill_the_time(
    seconds: float | None, steady: float, dead: float, total: float
) -> None:
    """Six seconds to an hour, and no sidecar is dead for longer than ten."""
    found = times_of(seconds)
    assert (found.steady, found.dead, found.total) == pytest.approx((steady, dead, total))


def test_each_sidecar_owns_as_many_keys() -> None:
    """So whichever is killed, a third of the keys lose their owner."""
    owned = [DemoCluster().owned_by(name) for name in NAMES]
    assert [len(keys) for keys in owned] == [2, 2, 2]
    assert sorted(chain(*owned)) == list(range(KEYS))


class Obedient(DemoCluster):
    """A cluster of no processes at all."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs = {}

    def kill(self, name: str) -> int:
        """Be told."""
        return len(name)

    async def restart(self, name: str) -> int:
        """Be told."""
        return len(name)


@pytest.mark.parametrize(
    ("decided", "kept", "seen"),
    [
        (NAMES, True, r"\d+\.\d s"),
        (NAMES[:2], False, "not for sidecar b"),
        ((), False, "not for.*"),
    ],
)
async def test_limiting_is_back_when_the_owner_decides_for_every_app(
    decided: Sequence[str], kept: bool, seen: str
) -> None:
    """By its own keys; else the promise is broken that it would be."""
    cluster, records = Obedient(), Records(len(NAMES))
    sender = Sender(Target([], [], "", {}), records, 1, 1.0)
    run = WatchedRun("", inf, NAMES, 30.0, sender, records)
    mine = cluster.owned_by("b")
    others = next(key for key in range(KEYS) if key not in mine)
    for stream, name in enumerate(NAMES):
        note(records, 1e6, stream=stream, key=others)
        note(records, 1e6, stream=stream, key=mine[0], source=Source.OPEN)
        if name in decided:
            note(records, 1e6, stream=stream, key=mine[1])
    story = Story(cluster, run, StoryTimes(0, 0, inf, inf, back_within=0.5), display())
    playing = asyncio.create_task(story.play())
    await eventually(lambda: story.promises)
    playing.cancel()
    (promise,) = story.promises
    assert promise.kept is kept
    assert re.fullmatch(seen, promise.seen)
    assert [event.event for event in story.events] == ["kill", "start", "ready"]
    assert {event.node for event in story.events} == {"b"}


def test_requests_count_in_the_phase_in_which_they_were_due() -> None:
    """In an endless story a phase has several parts."""
    run = facts(seconds=15)
    note(run.records, 0.0)
    note(run.records, 5.0, source=Source.OPEN)
    note(run.records, 7.9, Outcome.FAILED, source=None)
    note(run.records, 8.0, DENIED)
    note(run.records, 14.5)
    turns = [
        (0.0, StoryPhase.STEADY),
        (5.0, StoryPhase.DEAD),
        (8.0, StoryPhase.BACK),
        (14.0, StoryPhase.DEAD),
    ]
    _, *rows = (line.strip() for line in phases(run, turns))
    assert [row.split()[-6:] for row in rows] == [
        ["5.0", "1", "1", "0", "0", "0"],
        ["4.0", "3", "1", "0", "1", "1"],
        ["6.0", "1", "0", "1", "0", "0"],
    ]
