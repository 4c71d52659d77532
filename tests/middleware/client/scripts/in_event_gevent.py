"""Events of greenlets, with everything patched. Run by test_event_processes.py."""

from gevent import monkey  # type: ignore[import-untyped]  # it ships no types

monkey.patch_all()  # pyright: ignore[reportUnknownMemberType]  # as above

import sys  # noqa: E402  # the patches must come first
from concurrent.futures import ThreadPoolExecutor  # noqa: E402

from sidegate.client.blocking import BlockingClient  # noqa: E402

TOGETHER = 50


def main(address: str) -> None:
    """Record from 50 greenlets at once."""
    with BlockingClient(address, budget=10) as client, ThreadPoolExecutor(TOGETHER) as pool:
        for done in [pool.submit(client.record, "signup", f"{at % 5}") for at in range(TOGETHER)]:
            done.result()


if __name__ == "__main__":
    main(sys.argv[1])
