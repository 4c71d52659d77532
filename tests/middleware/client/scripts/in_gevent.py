"""Checks from greenlets, with everything patched. Run by test_blocking_trust.py."""

from gevent import monkey  # type: ignore[import-untyped]  # it ships no types

monkey.patch_all()  # pyright: ignore[reportUnknownMemberType]  # as above

import sys  # noqa: E402  # the patches must come first
from concurrent.futures import ThreadPoolExecutor  # noqa: E402
from pathlib import Path  # noqa: E402

from sidegate.client.blocking import BlockingClient  # noqa: E402
from sidegate.trust.tls import Tls  # noqa: E402

TOGETHER = 50
THREADS = Path("/proc/self/task")  # of the kernel; threads of Python are greenlets here


def main(address: str, *files: str) -> None:
    """Ask from 50 greenlets at once, and say who decided."""
    tls = Tls(*files) if files else None
    with (
        BlockingClient(address, budget=10, tls=tls) as client,
        ThreadPoolExecutor(TOGETHER) as pool,
    ):
        asked = [pool.submit(client.check, f"k{at}", "5/minute") for at in range(TOGETHER)]
        sources = [future.result().source for future in asked]
        print(*set(sources), len(sources))  # noqa: T201
        print("threads", len(list(THREADS.iterdir())) if THREADS.exists() else 1)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
