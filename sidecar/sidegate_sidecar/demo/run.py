"""The demo, from its start to its exit code: a load test of three apps while a story is played."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sidegate.buckets.limits import parse_limits
from sidegate_sidecar.demo.cluster import DemoCluster
from sidegate_sidecar.demo.setting import KEY_HEADER, KEY_PREFIX, KEYS, LIMIT, LOAD
from sidegate_sidecar.demo.story import LONGEST, Story, times_of
from sidegate_sidecar.demo.summary import phases
from sidegate_sidecar.loadtest.ending import exit_code_of, send_beside
from sidegate_sidecar.loadtest.judge.assess import assess
from sidegate_sidecar.loadtest.judge.crashes import crashes
from sidegate_sidecar.loadtest.judge.facts import Facts
from sidegate_sidecar.loadtest.plan.keys import Pick
from sidegate_sidecar.loadtest.plan.scenario import Scenario, Stream
from sidegate_sidecar.loadtest.plan.schedule import schedule
from sidegate_sidecar.loadtest.plan.settings import TIMEOUT
from sidegate_sidecar.loadtest.send.record import Records
from sidegate_sidecar.loadtest.send.sender import Sender, Target
from sidegate_sidecar.loadtest.show.display import WatchedRun, display, print_summary
from sidegate_sidecar.loadtest.show.summary import summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate_sidecar.demo.story import StoryTimes
    from sidegate_sidecar.loadtest.judge.report import LoadReport

MAX_IN_FLIGHT: Final = 500  # requests: more than are sent before the first of them is given up
TELL_EVERY: Final = 1.0  # seconds
SEED: Final = 1  # the same requests at every run


def run_demo(seconds: float | None) -> int:
    """Show three sidecars, three apps and a kill for so many seconds; None is until Ctrl-C.

    Return the exit code: 0 if every promise held, else 1. Seconds count from the first request; six
    are the least, an hour is the most. Failure if a process doesn't start.
    """
    return exit_code_of(_run(times_of(seconds)))


def scenario(seconds: float, names: Sequence[str]) -> Scenario:
    """Return streams of these names, together LOAD times as much as the limit allows."""
    (limit,) = parse_limits(LIMIT)
    rate = LOAD * KEYS * limit.tokens / limit.window / len(names)
    streams = [Stream(name, rate, keys=KEYS, pick=Pick.RANDOM, limit=LIMIT) for name in names]
    return Scenario(seconds, streams, key_header=KEY_HEADER)


async def _run(times: StoryTimes) -> LoadReport:
    print("sidegate demo: starting three sidecars and three apps …", flush=True)  # noqa: T201
    cluster = DemoCluster()
    try:
        await cluster.start()
        return await _play(cluster, times)
    finally:
        cluster.end()


async def _play(cluster: DemoCluster, times: StoryTimes) -> LoadReport:
    """Send a stream to each app; to the judge they are one, since they share keys and limit."""
    plan = scenario(LONGEST, [f"app-{name}" for name in cluster.pairs])
    urls = [pair.url for pair in cluster.pairs.values()]
    records = Records(len(urls))
    target = Target(urls, [KEY_PREFIX] * len(urls), KEY_HEADER, {})
    sender = Sender(target, records, MAX_IN_FLIGHT, TIMEOUT)
    heading = f"sidegate demo: {len(urls)} apps, one limit, {LIMIT} for each of {KEYS} API keys"
    run = WatchedRun(heading, times.total, plan.names, plan.rate / LOAD, sender, records)
    shown = display(TELL_EVERY)
    story = Story(cluster, run, times, shown)
    begun = time.time()
    async with sender.session() as session:
        await send_beside(sender, schedule(plan, SEED), session, shown.show(run), story.play())
    facts = _facts(records.together(), begun, sender.now, story)
    report = assess(facts, name="", url=urls[0], urls=urls[:1], seed=SEED, prefix=KEY_PREFIX)
    print_summary(summary(report, [heading, "", *phases(facts, story.turns)]))
    return report


def _facts(records: Records, begun: float, elapsed: float, story: Story) -> Facts:
    return Facts(
        scenario(elapsed, ["requests"]),
        records,
        begun,
        elapsed,
        crashes(story.events, begun, elapsed),
        paced=False,  # seven processes may share a small machine
        others=story.promises,
    )
