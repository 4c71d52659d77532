"""Tasks of Celery in real workers, with a real sidecar: all workers share a limit."""

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

from sidegate_sidecar.lab.processes import Child, end_all
from tests.support.apps.celery_app import FOLDER, Note, make_app, notes
from tests.support.processes.services import PATHS, Sidecar, until

WORKER: Final = (
    "--app=tests.support.apps.celery_app",
    "worker",
    "--loglevel=warning",
    "--without-gossip",
    "--without-mingle",
    "--without-heartbeat",
)
POOLS: Final = (("--pool=solo",), ("--pool=prefork", "--concurrency=2"))


@pytest.fixture(scope="module")
def folder(sidecar: Sidecar, tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """Run two workers, of three processes that run tasks, which take from one folder."""
    folder = tmp_path_factory.mktemp("celery")
    make_app(folder)
    ours = {"PYTHONPATH": PATHS, "SIDEGATE_SIDECAR": str(sidecar.link), FOLDER: str(folder)}
    workers = [
        Child(
            f"worker {pool[0]}", "celery", *WORKER, f"--hostname={at}@test", *pool, environment=ours
        )
        for at, pool in enumerate(POOLS)
    ]
    try:
        yield folder
    finally:
        end_all(workers)
    for worker in workers:
        assert "Traceback" not in worker.last_words, worker.last_words


def send(folder: Path, task: str, times: int, *arguments: Any) -> None:
    """Put a task into the queue so many times."""
    with make_app(folder) as app:
        for _ in range(times):
            app.send_task(task, arguments)


def noted(folder: Path, what: str, task: str) -> list[Note]:
    return [it for it in notes(folder) if (it.what, it.task) == (what, task)]


def wait_for(folder: Path, what: str, task: str, times: int) -> None:
    until(lambda: len(noted(folder, what, task)) == times, lambda: str(notes(folder)))


def test_all_workers_share_a_limit(folder: Path, sidecar: Sidecar) -> None:
    """As many run as there are tokens, and each of the others is put off, by either worker."""
    for sent in range(10, 500, 10):
        send(folder, "daily", 10)
        wait_for(folder, "put-off", "daily", sent - 3)
        if len({it.worker for it in notes(folder)}) == len(POOLS):
            break
    else:
        pytest.fail("only one worker works")
    assert len(noted(folder, "ran", "daily")) == 3
    assert [it["remaining"] for it in sidecar.buckets("celery:daily")] == [0]


def test_what_was_put_off_runs_once_there_is_a_token(folder: Path, sidecar: Sidecar) -> None:
    """All of them run, once each, and it is none of the task's own retries (it has none)."""
    begun = time.monotonic()
    send(folder, "quick", 9, 7)
    wait_for(folder, "ran", "quick", 9)
    ran, put_off = noted(folder, "ran", "quick"), noted(folder, "put-off", "quick")
    assert put_off
    assert {it.retries for it in ran + put_off} == {0}
    assert max(it.at for it in ran) - begun >= 4, "six more tokens than a burst take four seconds"
    assert sidecar.buckets("celery:quick:7")
