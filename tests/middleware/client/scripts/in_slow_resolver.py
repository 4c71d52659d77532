"""Threads whose system takes its time over a host name. Run by test_starvation.py."""

import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sidegate.client.blocking import BlockingClient

TOGETHER = 4


def main(address: str) -> None:
    """Ask from five threads; the name is found when all but the one that looks it up are done."""
    done = threading.Semaphore(0)
    real = socket.getaddrinfo

    def slow(*arguments: Any, **options: Any) -> Any:
        for _ in range(TOGETHER):
            done.acquire(timeout=10)
        return real(*arguments, **options)

    socket.getaddrinfo = slow
    sources: list[str] = []
    with BlockingClient(address.replace("127.0.0.1", "localhost")) as client:

        def ask() -> None:
            sources.append(client.check("k", "900/minute").source.value)
            done.release()

        with ThreadPoolExecutor(TOGETHER + 1) as pool:
            for _ in range(TOGETHER + 1):
                pool.submit(ask)
    print(*sources)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
