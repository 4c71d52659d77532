"""A burst: many checks of one key at the same moment, from one client with all its defaults."""

import os
import sys
import threading
from collections import Counter
from typing import Final

from sidegate.client.blocking import BlockingClient

LIMIT: Final = "20/hour"
WAVES: Final = 2  # the first one dials; each asks about a key of its own
PROCESSES: Final = 4


def wave(client: BlockingClient, key: str, at_once: int, go: threading.Event) -> Counter[str]:
    """Ask from so many threads, or greenlets, at once; return how often who let a check pass."""
    passed: Counter[str] = Counter()
    lock = threading.Lock()

    def one() -> None:
        go.wait()
        decision = client.check(key, LIMIT)
        with lock:
            passed[decision.source.value] += decision.allowed

    threads = [threading.Thread(target=one) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    return passed


def waves(client: BlockingClient, key: str, at_once: int) -> None:
    """Print what each wave let pass, by source."""
    for number in range(WAVES):
        show(wave(client, f"{key}-{number}", at_once, threading.Event()))


def forks(client: BlockingClient, key: str, at_once: int) -> None:
    """Do one wave in several processes, forked from one that has used its client before."""
    client.check("before", LIMIT)
    start, begin = os.pipe()
    children: list[int] = []
    for _ in range(PROCESSES):
        sys.stdout.flush()
        if not (child := os.fork()):
            os.close(begin)
            os.read(start, 1)  # until all are there
            show(wave(client, key, at_once // PROCESSES, threading.Event()))
            os._exit(0)
        children.append(child)
    os.close(begin)
    for child in children:
        _, status = os.waitpid(child, 0)
        assert not status


def show(passed: Counter[str]) -> None:
    """Print it in one write, so that lines of several processes don't mix."""
    os.write(1, (" ".join(f"{source}={count}" for source, count in passed.items()) + "\n").encode())


def main(kind: str, address: str, at_once: str, key: str) -> None:
    """Run a burst."""
    threading.stack_size(256 << 10)  # so that thousands fit
    with BlockingClient(address) as client:
        (forks if kind == "forks" else waves)(client, key, int(at_once))


if __name__ == "__main__":
    main(*sys.argv[1:])
