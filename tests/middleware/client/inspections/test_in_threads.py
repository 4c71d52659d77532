"""Peeking and resetting from threads, each time over a connection of its own."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sidegate.client.blocking import BlockingClient
from sidegate.errors import KeyTooLong, Unreachable
from sidegate.protocol.messages import Roster
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import AMPLE, PATIENCE, SCANT, in_threads

YEAR = "50/year"


def test_it_tells_what_is_spent_and_closes_its_connection(sidecar: SidecarDouble) -> None:
    with BlockingClient(sidecar.address, budget=AMPLE) as client:
        assert client.peek("k") == {}
        client.check("k", f"{YEAR}; 60/year", 30)
        assert client.peek("k") == {YEAR: 30, "60/year": 30}
        sidecar.wait_for(lambda: len(sidecar.connections) == 1)
        assert sidecar.accepted == 3
        assert not sidecar.errors


def test_a_reset_forgets_denials_here_at_once(sidecar: SidecarDouble) -> None:
    with BlockingClient(sidecar.address, budget=AMPLE) as client:
        client.check("k", YEAR, 50)
        assert not client.check("k", YEAR).allowed
        assert client.reset("k") == {YEAR: 50}
        assert client.check("k", YEAR, 50).source == "owner"
        assert client.peek("k") == {YEAR: 50}


def test_who_waits_for_a_key_asks_when_it_was_reset(sidecar: SidecarDouble) -> None:
    with BlockingClient(sidecar.address, budget=AMPLE) as client, ThreadPoolExecutor(1) as pool:
        client.check("k", YEAR, 50)
        waiting = pool.submit(client.acquire, "k", YEAR)
        sidecar.wait_for(lambda: sidecar.asked == 2)
        client.reset("k")
        assert waiting.result(PATIENCE).allowed


def test_threads_ask_at_the_same_time(sidecar: SidecarDouble) -> None:
    """And what others check goes on."""

    def charge_and_peek(number: int) -> dict[str, int]:
        client.check(f"k{number}", YEAR, number + 1)
        return client.peek(f"k{number}")

    with BlockingClient(sidecar.address, budget=AMPLE) as client:
        assert in_threads(8, charge_and_peek) == [{YEAR: number + 1} for number in range(8)]


def test_an_owner_out_of_reach_is_an_error(sidecar: SidecarDouble) -> None:
    sidecar.source = "open"
    with (
        BlockingClient(sidecar.address, budget=AMPLE) as client,
        pytest.raises(Unreachable, match=r'^key "k": the sidecar can reach neither its owner'),
    ):
        client.peek("k")


def test_a_sidecar_that_says_nothing_is_waited_for_one_budget(sidecar: SidecarDouble) -> None:
    sidecar.is_mute = True
    with BlockingClient(sidecar.address, budget=SCANT) as client:
        for ask in (client.peek, client.reset):
            with pytest.raises(Unreachable, match="no answer within 20 ms"):
                ask("k")


def test_a_sidecar_that_is_gone_is_an_error(sidecar: SidecarDouble) -> None:
    sidecar.stop()
    with BlockingClient(sidecar.address) as client, pytest.raises(Unreachable):
        client.peek("k")


def test_what_is_wrong_in_the_environment_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEGATE_SIDECAR", "nowhere")
    with BlockingClient() as client, pytest.raises(Unreachable, match="SIDEGATE_SIDECAR='nowhere'"):
        client.reset("k")


def test_what_a_sidecar_says_to_all_apps_is_passed_over(sidecar: SidecarDouble) -> None:
    sidecar.members = [("one", "127.0.0.1:1")] * 40
    with BlockingClient(sidecar.address, budget=AMPLE) as client:
        assert client.peek("k") == {}
        sidecar.say(Roster("digest", []))


def test_a_key_that_is_too_long_is_an_error_at_once() -> None:
    client = BlockingClient("off")
    for ask in (client.peek, client.reset):
        with pytest.raises(KeyTooLong):
            ask("k" * 513)
