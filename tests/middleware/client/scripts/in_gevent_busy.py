"""Greenlets whose hub is busy, and that are killed while they ask. Run by test_starvation.py."""

from gevent import monkey  # type: ignore[import-untyped]  # it ships no stubs

monkey.patch_all()

import sys  # noqa: E402  # the patches must come first
import time  # noqa: E402
from collections import Counter  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402

from sidegate.client.blocking import BlockingClient  # noqa: E402

TOGETHER = 50
BUDGET = 0.05
SILENT: Any = False  # so gevent has it, though its types know only exceptions


def busy(seconds: float) -> None:
    """Let no other greenlet run."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def ask_all(client: BlockingClient) -> list[Any]:
    """Ask from 50 greenlets at once; what they asked is on its way when this returns."""
    asking: list[Any] = [
        gevent.spawn(client.check, f"k{at}", "900/minute") for at in range(TOGETHER)
    ]
    gevent.sleep(0)
    return asking


def say(what: str, asking: list[Any]) -> None:
    """Print who decided for them."""
    print(what, dict(Counter(str(greenlet.get().source) for greenlet in asking)))  # noqa: T201


def main(address: str) -> None:
    """Keep the hub busy while checks are under way, then kill who leads, again and again."""
    with BlockingClient(address, budget=BUDGET) as client:
        dialling = ask_all(client)
        busy(6 * BUDGET)
        say("dialling", dialling)
        asking = ask_all(client)
        busy(6 * BUDGET)
        say("asking", asking)
        for _ in range(10):
            killed, *others = ask_all(client)
            killed.kill()
            with gevent.Timeout(1e-6, exception=SILENT):
                client.check("k", "900/minute")
            say("killed", others)


if __name__ == "__main__":
    main(*sys.argv[1:])
