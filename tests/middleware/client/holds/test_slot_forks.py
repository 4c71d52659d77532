"""Slots of threads in a process that is forked meanwhile."""

import os
import signal
import socket
import threading

import pytest

from sidegate.client.blocking import BlockingClient
from sidegate.errors import NoSlot

PATIENT = 20  # seconds


def _ask(asking: BlockingClient) -> None:
    with pytest.raises(NoSlot), asking.slot("user:42", 1):
        pytest.fail("a body without its slot")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # its threads are the point
def test_a_child_has_no_copy_of_a_connection_that_was_being_dialled() -> None:
    """It would hold what is got by it for as long as the child lives."""
    with socket.create_server(("127.0.0.1", 0)) as sidecar:
        address = f"127.0.0.1:{sidecar.getsockname()[1]}"
        asking = BlockingClient(address, budget=PATIENT, secret="", on_unreachable="closed")
        thread = threading.Thread(target=_ask, args=[asking])
        thread.start()
        connection, _ = sidecar.accept()
        with connection:
            connection.settimeout(PATIENT / 2)
            connection.recv(65_536)  # it has begun to shake hands, and gets no answer
            child = os.fork()
            if child == 0:
                signal.alarm(PATIENT)  # else a child that is stuck outlives the test
                while True:
                    signal.pause()
            try:
                asking.close()
                assert connection.recv(65_536) == b""
            finally:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                thread.join(PATIENT)
