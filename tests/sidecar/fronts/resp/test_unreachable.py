"""When nobody who could decide answers: the policy does, within the budget, and it is said."""

import time

import pytest
from prometheus_client import generate_latest

from sidegate_sidecar.config import Role
from sidegate_sidecar.process import Process
from tests.sidecar.fronts.resp.speaking import command, five, server_of, speaker
from tests.sidecar.fronts.resp.test_redis_py import redis_of, throttle
from tests.support.in_process.beside import ring_with_puppet
from tests.support.in_process.cluster import LOOPBACK

BUDGET = 0.1


def metrics(node: Process) -> str:
    """Return what a scrape has."""
    return generate_latest(node.http_server.registry).decode()


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("open", [0, 10, -1, -1, -1]), ("closed", [1, 10, -1, 1, -1]), ("local", [0, 5, 4, -1, 720])],
)
async def test_the_policy_answers_and_says_so(
    policy: str, expected: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """In the integers, in INFO, in a metric and in the log."""
    options = {"on_unreachable": policy, "budget": BUDGET, "role": Role.LEAF, "resp": LOOPBACK}
    async with ring_with_puppet(**options) as (node, _, _, key), redis_of(node) as one:
        await one.ping()
        began = time.monotonic()
        assert await throttle(one, key, 9, 10, 3_600) == expected
        assert time.monotonic() - began < 20 * BUDGET
        assert (await one.info())["sidegate_last_source"] == policy
        outcome = "denied" if expected[0] else "allowed"
        series = f'sidegate_resp_checks_total{{outcome="{outcome}",source="{policy}"}} 1.0'
        assert series in metrics(node)
    assert f"checks over RESP are answered {policy}: nobody can be asked" in caplog.text


async def test_a_batch_is_answered_in_order_when_some_owners_are_silent() -> None:
    """What is decided here waits for what nobody decides, and no longer than the budget."""
    options = {"budget": BUDGET, "resp": LOOPBACK}
    async with ring_with_puppet(**options) as (node, _, _, theirs):
        mine = next(it for it in map(str, range(99)) if node.cluster.ring.owner(it) != "puppet")
        async with speaker(node) as one:
            both = [command("CL.THROTTLE", key, 9, 10, 3_600) for key in (theirs, mine)]
            one.write(b"".join(both) + command("INFO"))
            expected = five(0, 10, 9, -1, 360)
            assert await one.until(b"360\r\n" + expected) == expected + expected
            info = await one.until(b"sidegate_last_source:backup\r\n")
            assert b"sidegate_checks_backup_allowed:1" in info
        assert server_of(node).counts.checks["owner", "allowed"] == 1


async def test_del_says_when_nobody_can_be_asked() -> None:
    """A key that was not reset is not said to be."""
    options = {"budget": BUDGET, "role": Role.LEAF, "resp": LOOPBACK}
    async with ring_with_puppet(**options) as (node, _, _, key), speaker(node) as one:
        one.write(command("DEL", key))
        said = await one.until(b"\r\n")
        assert said.startswith(f"-ERR key '{key}': neither its owner nor its backup".encode())
        one.write(command("PING"))
        await one.until(b"+PONG\r\n")


async def test_metrics_have_what_the_port_does() -> None:
    """All series from the start; connections that were ended have a reason."""
    async with ring_with_puppet(resp=LOOPBACK) as (node, _, _, _), speaker(node, b"*x\r\n") as one:
        await one.rest()
        text = metrics(node)
    assert 'sidegate_resp_refused_total{reason="malformed"} 1.0' in text
    assert 'sidegate_resp_refused_total{reason="tls"} 0.0' in text
    assert 'sidegate_resp_checks_total{outcome="denied",source="owner"} 0.0' in text
    assert "sidegate_resp_connections 1.0" in text
