"""Limiter.wait and Limiter.wait_blocking: blocks that are entered when a check passes."""

from typing import Any

import pytest

from sidegate import BlockingClient, Client, CostError, Limiter, WaitTooLong
from sidegate.testing import Memory
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.middleware.checker import Checker
from tests.support.waiting import AMPLE

LIMIT = "2/minute"


async def test_a_block_is_entered_when_a_check_passes(sidegate: Memory) -> None:
    limiter = Limiter("100/minute")
    async with limiter.wait("k", LIMIT) as decision:
        assert decision.remaining == 1
    with limiter.wait_blocking("k", LIMIT) as decision:
        assert decision.remaining == 0
    with pytest.raises(WaitTooLong):
        async with limiter.wait("k", LIMIT, timeout=0):
            pytest.fail("it was entered")
    with pytest.raises(WaitTooLong), limiter.wait_blocking("k", LIMIT, timeout=0):
        pytest.fail("it was entered")
    with pytest.raises(CostError), limiter.wait_blocking("k", LIMIT, 3):
        pytest.fail("it was entered")
    assert sidegate.spent("k") == {LIMIT: 2}


async def test_its_clients_have_its_options_and_are_one_of_each_kind(
    sidecar: SidecarDouble,
) -> None:
    limiter = Limiter("1/day", sidecar=sidecar.address, secret="", budget=AMPLE)
    for _ in range(2):
        async with limiter.wait("k", "9/day") as decision:
            assert decision.source == "owner"
        with limiter.wait_blocking("k", "9/day") as decision:
            assert decision.source == "owner"
    assert sidecar.accepted == 2
    await limiter._core.clients.to_wait_in_loops().close()
    limiter._core.clients.threads.close()


async def test_a_client_that_it_was_given_waits(sidegate: Memory) -> None:
    async with Limiter("1/day", client=Client()).wait("k", LIMIT):
        pass
    with Limiter("1/day", client=BlockingClient()).wait_blocking("k", LIMIT):
        pass
    assert sidegate.spent("k") == {LIMIT: 2}


@pytest.mark.parametrize("client", [Checker(), BlockingClient("off")])
async def test_a_client_of_another_kind_is_no_client_to_wait_with(client: Any) -> None:
    limiter = Limiter("1/day", client=client)
    with pytest.raises(ValueError, match=r"client=.*: expected a Client, or None"):
        async with limiter.wait("k", LIMIT):
            pytest.fail("it was entered")


async def test_one_that_is_not_enabled_has_nobody_wait() -> None:
    limiter = Limiter("1/day", enabled=False)
    for _ in range(5):
        async with limiter.wait("k", "1/day") as decision:
            assert decision.source == "open"
