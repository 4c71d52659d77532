"""The asyncio client while nobody limits: its log, what it tells its sidecar, whose fault it is."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from sidegate.client.client import Client
from sidegate.link.health import LinkState
from sidegate.protocol.messages import Answers, Checks, Roster
from sidegate.protocol.outcome_messages import Outcomes
from tests.support.in_process.cluster import (
    GENEROUS,
    admitted,
    client,
    eventually,
    link_of,
    sources,
)
from tests.support.in_process.puppets import puppet
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import AMPLE

SOON = 0.05  # seconds: a budget that is to run out


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the client has logged; all of it are warnings."""
    said = [record for record in caplog.records if record.name == "sidegate"]
    assert {record.levelno for record in said} <= {logging.WARNING}
    return [record.getMessage() for record in said]


async def up(asking: Client) -> None:
    """Wait until its sidecar is asked."""
    await eventually(lambda: link_of(asking).state is LinkState.UP)


# The log


async def test_an_outage_is_said_once_with_its_reason_and_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However many checks it decides, and in the words of the link."""
    address = f"unix:{tmp_path}/s"
    async with client(address, budget=AMPLE) as asking:
        for _ in range(5):
            assert (await asking.check("k", "5/day")).source == "open"
        (line,) = lines(caplog)
        assert "not limiting" in line
        assert "No such file or directory" in line
        with SidecarDouble(address):
            await up(asking)
            assert (await asking.check("k", "5/day")).source == "owner"
        assert lines(caplog)[1:] == [lines(caplog)[-1]]
        assert "limiting again: 5 requests were let through" in lines(caplog)[-1]


async def test_a_silent_sidecar_is_said_to_be_silent(caplog: pytest.LogCaptureFixture) -> None:
    async with puppet() as other, client(other.address, budget=SOON) as asking:
        await up(asking)
        assert (await asking.check("k", "5/day")).source == "open"
    (line,) = lines(caplog)
    assert f"no answer from the sidecar at {other.address} (no answer within 50 ms)" in line


async def test_closing_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    """Nor is it told to the sidecar as one."""
    async with puppet() as other, client(other.address) as asking:
        await up(asking)
        future = asking.check("k", "5/day")
        await other.hear(Checks)
        await asking.close()
        assert (await future).source == "open"
        assert not asking._alone.has_outcomes
    assert lines(caplog) == []


@pytest.mark.parametrize("policy", ["open", "closed", "local"])
async def test_with_a_fault_in_the_environment_nobody_is_asked(
    policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The policy decides at once, and the log says what is wrong."""
    async with puppet() as other:
        asking = client(other.address, on_unreachable=policy)
        asking._options = replace(asking._options, fault="SIDEGATE_SIDECAR is no address")
        decisions = [await asking.check("k", "5/day") for _ in range(6)]
        assert sources(decisions) == {policy: 6}
        assert admitted(decisions) == {"open": 6, "closed": 0, "local": 5}[policy]
        await asking.close()
        assert other.connections == []
    (line,) = lines(caplog)
    assert "SIDEGATE_SIDECAR is no address" in line


# What the sidecar is told


async def test_the_sidecar_is_told_of_what_was_decided_without_it(tmp_path: Path) -> None:
    """In front of the first checks that it gets, once."""
    address = f"unix:{tmp_path}/s"
    async with client(address, budget=AMPLE) as asking:
        for _ in range(3):
            await asking.check("k", "5/day")
        asking.count("key-error")
        with SidecarDouble(address) as double:
            await up(asking)
            assert double.heard == []
            for _ in range(3):
                await asking.check("k", "5/day")
            double.wait_for(lambda: len(double.frames) == 3)
            told = Outcomes([("open", 3), ("key-error", 1)], [("k", "open", 1, 3, 0)])
            assert double.heard == [told]


async def test_the_sidecar_is_told_at_most_once_a_second(tmp_path: Path) -> None:
    """What comes meanwhile is kept for later."""
    with SidecarDouble(f"unix:{tmp_path}/s") as double:
        async with client(double.address, budget=AMPLE) as asking:
            await asking.connect()
            for _ in range(3):
                asking.count("key-error")
                await asking.check("k", "5/day")
            double.wait_for(lambda: len(double.frames) == 4)
            assert double.heard == [Outcomes([("key-error", 1)])]
            assert asking._alone.has_outcomes


# Whose fault it is


async def test_a_check_that_another_was_answered_before_goes_by_the_share(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A sidecar that answers is there: what it doesn't answer in time isn't let through."""
    async with puppet() as other, client(other.address, budget=SOON) as asking:
        await up(asking)
        await other.say(Roster("digest", [(f"n{at}", f"127.0.0.1:{at + 1}") for at in range(2)]))
        await eventually(lambda: asking.nodes == 2)
        futures = [asking.check("k", "10/day") for _ in range(8)]
        await other.hear(Checks)
        await other.say(Roster("digest", [("n0", "127.0.0.1:1"), ("n1", "127.0.0.1:2")]))
        decisions = await asyncio.gather(*futures)
        assert sources(decisions) == {"local": 8}
        assert admitted(decisions) == 5
        assert link_of(asking).state is LinkState.UP
    (line,) = lines(caplog)
    assert "1 check was decided by this process's share" in line


async def test_shares_are_told_to_the_sidecar_too() -> None:
    async with puppet() as other, client(other.address) as asking:
        await up(asking)
        link_of(asking)._questions._max_in_flight = 1
        assert sources(await asyncio.gather(*(asking.check("k", "5/day") for _ in range(2)))) == {
            "local": 2
        }
        last = asking.check("k", "5/day")
        assert await other.hear(Outcomes) == Outcomes([("local", 2)], [("k", "local", 1, 2, 2)])
        frame = await other.hear(Checks)
        await other.say(Answers(frame.id, "owner", "n7", None, [[1, 0]]))
        async with asyncio.timeout(GENEROUS):
            assert (await last).source == "owner"
