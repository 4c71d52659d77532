"""The demo, from its start to its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from math import ceil
from typing import Final

import uvloop

from sidegate.buckets.limits import parse_limits
from sidegate_sidecar.demo.play.cluster import DemoCluster, StartError
from sidegate_sidecar.demo.play.promises import promises
from sidegate_sidecar.demo.play.setting import KEYS, LIMIT, LOAD
from sidegate_sidecar.demo.play.story import Story, times_of
from sidegate_sidecar.demo.play.tally import DemoTally
from sidegate_sidecar.demo.play.traffic import Traffic
from sidegate_sidecar.demo.show.display import DemoDisplay, display
from sidegate_sidecar.demo.show.summary import summary
from sidegate_sidecar.loadtest.judge.bounds import LOST

_ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_demo(seconds: float | None) -> int:
    """Show three sidecars, three apps and a kill for so many seconds; None is until Ctrl-C.

    Return the exit code: 0 if every promise held, or if it was ended before there was anything to
    promise; else 1. Seconds count from the first request, and six are the least.
    """
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(seconds))
    except* StartError as failures:
        print(failures.exceptions[0], file=sys.stderr)  # noqa: T201
    except* BrokenPipeError:  # whoever reads our lines has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


async def _run(seconds: float | None) -> int:
    cluster = DemoCluster()
    playing = asyncio.create_task(_play(cluster, seconds))
    for number in _ENDINGS:
        asyncio.get_running_loop().add_signal_handler(number, playing.cancel)
    try:
        return await playing
    except asyncio.CancelledError:  # before the first request
        return 0
    finally:
        cluster.end()


async def _play(cluster: DemoCluster, seconds: float | None) -> int:
    print("sidegate demo: starting three sidecars and three apps …", flush=True)  # noqa: T201
    await cluster.start()
    shown = display()
    limit = next(iter(parse_limits(LIMIT)))
    a_kill = ceil(LOST * LOAD * limit.tokens / limit.window)  # all that was asked of a key then
    tally = DemoTally(limit, KEYS, time.monotonic(), a_kill)
    story = Story(cluster, tally, times_of(seconds), shown.tell)
    with suppress(asyncio.CancelledError):  # Ctrl-C ends the story wherever it is
        await _perform(story, shown)
    story.close()
    shown.close(story)
    print(summary(story), flush=True)  # noqa: T201
    return 0 if all(promise.kept for promise in promises(story)) else 1


async def _perform(story: Story, shown: DemoDisplay) -> None:
    """Send requests and show them for as long as the story plays."""
    limit = story.tally.limit
    rate = LOAD * len(KEYS) * limit.tokens / limit.window
    apps = {name: pair.url for name, pair in story.cluster.pairs.items()}
    traffic = Traffic(apps, KEYS, rate, story.tally)
    async with asyncio.TaskGroup() as group:
        others = [group.create_task(traffic.run()), group.create_task(shown.show(story))]
        await story.play()
        for other in others:
            other.cancel()
