"""A conversation with a sidecar that is going: how it moves to another one."""

import os
import signal
import threading
import time

import pytest

from sidegate.buckets.decision import Source
from sidegate.client.blocking import BlockingClient
from sidegate.link.blocking.conversation import (
    LEAST_PATIENCE,
    PATIENT_BUDGETS,
    RELIEF_EVERY,
    patience,
)
from sidegate.protocol.messages import Roster
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.signals import Interrupted, interruptible
from tests.support.waiting import AMPLE, in_threads, until

LEAVING = Roster("digest", [("double", "127.0.0.1:1")], 1)


def left(sidecar: SidecarDouble, budget: float = AMPLE) -> BlockingClient:
    """Return a client whose sidecar has said that it is going, which it has read."""
    client = BlockingClient(sidecar.address, budget=budget)
    assert client.check("k", "90/minute").source is Source.OWNER
    sidecar.say(LEAVING)
    assert client.check("k", "90/minute").source is Source.OWNER
    return client


def sources(client: BlockingClient, count: int = 1) -> set[Source]:
    return {client.check("k", "90/minute").source for _ in range(count)}


def test_the_next_check_moves_to_a_new_connection(sidecar: SidecarDouble) -> None:
    with left(sidecar) as client:
        (old,) = sidecar.connections
        assert sources(client, 3) == {Source.OWNER}
        sidecar.wait_for(lambda: old not in sidecar.connections)
        assert sidecar.accepted == 2
        assert client.nodes == 1


def test_while_checks_are_in_flight_nobody_moves(sidecar: SidecarDouble) -> None:
    with BlockingClient(sidecar.address, budget=AMPLE) as client:
        client.check("k", "90/minute")
        sidecar.hold(4)

        def ask_once(_number: int) -> set[Source]:
            return sources(client)

        asking = threading.Thread(target=in_threads, args=(4, ask_once))
        asking.start()
        sidecar.wait_for(lambda: sidecar.asked >= 2)
        sidecar.say(LEAVING)
        sidecar.hold(0)
        asking.join()
        assert sources(client, 20) == {Source.OWNER}
        assert sidecar.asked == 25
        sidecar.wait_for(lambda: len(sidecar.connections) == 1)


def test_with_nobody_else_it_asks_where_it_did(sidecar: SidecarDouble) -> None:
    with left(sidecar) as client:
        sidecar.stop_listening()
        assert sources(client, 5) == {Source.OWNER}
        assert sidecar.accepted == 1
        sidecar.start()
        until(lambda: sources(client) == {Source.OWNER} and sidecar.accepted == 2)


def test_a_new_connection_to_the_same_one_is_not_given_up_at_once(sidecar: SidecarDouble) -> None:
    sidecar.leaving = 1
    began = time.monotonic()
    with left(sidecar) as client:
        assert sources(client, 50) == {Source.OWNER}
        assert sidecar.accepted <= 2 + (time.monotonic() - began) / RELIEF_EVERY


def test_one_elsewhere_that_is_silent_takes_half_of_the_budget(sidecar: SidecarDouble) -> None:
    with left(sidecar, budget=1.0) as client:
        sidecar.is_mute = True
        assert sources(client) == {Source.OWNER}
        assert sidecar.accepted == 2


def test_a_move_that_is_killed_leaves_nothing_behind(sidecar: SidecarDouble) -> None:
    with left(sidecar) as client, interruptible():
        sidecar.is_mute = True

        def interrupt() -> None:
            sidecar.wait_for(lambda: sidecar.accepted == 2)
            os.kill(os.getpid(), signal.SIGUSR1)

        interrupter = threading.Thread(target=interrupt)
        interrupter.start()
        with pytest.raises(Interrupted):
            sources(client)
        interrupter.join()
        sidecar.is_mute = False
        assert sources(client, 2) == {Source.OWNER}
        sidecar.wait_for(lambda: len(sidecar.connections) == 1)


@pytest.mark.parametrize(
    ("budget", "longest"),
    [(0.05, LEAST_PATIENCE), (1.0, PATIENT_BUDGETS * 1.0), (60.0, PATIENT_BUDGETS * 60.0)],
)
def test_trouble_of_ones_own_waits_for_several_budgets(budget: float, longest: float) -> None:
    assert patience(budget) == longest
