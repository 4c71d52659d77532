"""All that is measured with one check in flight may be on one core."""

import os
import threading

import pytest
from bench.peers.pinned import on_one_core


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux tells where threads run")
def test_one_core_for_all_ends_with_the_block() -> None:
    before = os.sched_getaffinity(0)
    with on_one_core([]):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux tells where threads run")
def test_threads_that_are_there_move_too() -> None:
    end, found = threading.Event(), threading.Event()
    cores: list[int] = []

    def look() -> None:
        end.wait(10)
        cores.append(len(os.sched_getaffinity(0)))
        found.set()

    threading.Thread(target=look).start()
    with on_one_core([os.getpid()]):
        end.set()
        assert found.wait(10)
    assert cores == [1]
