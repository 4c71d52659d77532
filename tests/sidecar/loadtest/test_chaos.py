"""What is promised of the sources of answers while compose/chaos.py kills sidecars."""

import re
from dataclasses import replace
from pathlib import Path

from sidegate.buckets.decision import Source
from sidegate_sidecar.loadtest.judge.crashes import Crash
from tests.sidecar.loadtest.records import broken, facts, note, promise

CHAOS = Path(__file__).parents[3] / "compose" / "chaos.py"


def chaos(seconds: float) -> list[Crash]:
    """Return the crashes that compose/chaos.py makes, with 1.5 s from a start until ready."""
    source = CHAOS.read_text()
    down, between = (
        float(re.findall(rf"(?m)^{name} = ([0-9.]+)", source)[0]) for name in ("DOWN", "BETWEEN")
    )
    times = range(100)
    killed = [between + number * (between + down + 1.5) for number in times]
    return [
        Crash(f"n{number % 3}", at, at + down, at + down + 1.5)
        for number, at in enumerate(killed)
        if at < seconds
    ]


def test_a_service_that_always_answers_by_policy_fails_under_chaos() -> None:
    """Two of five requests all the time: most of them have no kill to explain them."""
    run = facts(seconds=30)
    for number in range(300):
        note(run.records, number / 10, source=Source.OPEN if number % 5 < 2 else Source.OWNER)
    run = replace(run, crashes=chaos(30))
    assert broken(run) == ["nodes decide"]
    found = re.fullmatch(r"120, (\d+) of them at other times", promise(run, "nodes decide").seen)
    assert found
    assert int(found[1]) > 60


def test_answers_by_policy_while_a_node_is_away_keep_the_promise_under_chaos() -> None:
    """From each kill until the node is ready, and a moment more."""
    run = facts(seconds=30)
    crashes = chaos(30)
    for number in range(300):
        at = number / 10
        away = any(crash.killed <= at <= crash.back + 0.9 for crash in crashes)
        note(run.records, at, source=Source.OPEN if away else Source.OWNER)
    assert broken(replace(run, crashes=crashes)) == []
