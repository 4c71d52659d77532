"""Rules in a process that forks, or where threads are greenlets. Run by test_watching.py."""

import sys

if sys.argv[2] == "gevent":
    from gevent import monkey  # type: ignore[import-untyped]  # it ships no types

    monkey.patch_all()  # pyright: ignore[reportUnknownMemberType]  # as below

import os
import signal
import time

from sidegate.client.blocking import BlockingClient

PATIENCE = 15  # seconds
FIRST, LAST = "5/minute", "10/minute"


def limits(client: BlockingClient) -> str:
    """Return the limits of the one rule that there is, once it is."""
    time.sleep(0.001)  # under gevent others run while one waits, and only then
    rules = client.rules()
    return "" if rules is None else rules.rules[0].rule.limits.text


def wait_for(client: BlockingClient, *wanted: str) -> None:
    """Wait until the limits are one of these."""
    deadline = time.monotonic() + PATIENCE
    while limits(client) not in wanted:
        assert time.monotonic() < deadline, "it wasn't heard"


def hear(client: BlockingClient, who: str) -> None:
    """Wait for the change, and say so."""
    wait_for(client, LAST)
    sys.stdout.write(f"{who} {LAST}\n")
    sys.stdout.flush()


def fork(client: BlockingClient) -> int:
    """Have a child hear too, though a thread of its parent was about to take rules over."""
    assert client._pushed is not None
    lock = client._pushed._lock
    lock.acquire()
    child = os.fork()
    if child:
        lock.release()
    else:
        signal.alarm(PATIENCE)  # else a child that is stuck outlives the test
        hear(client, "child")
        os._exit(0)
    hear(client, "parent")
    _, status = os.waitpid(child, 0)
    return status


def main(address: str, how: str) -> None:
    """Hear of the first rules, then of others."""
    with BlockingClient(address, budget=10) as client:
        wait_for(client, FIRST, LAST)
        if how == "fork":
            sys.exit(fork(client))
        hear(client, "greenlet")


if __name__ == "__main__":
    main(*sys.argv[1:])
