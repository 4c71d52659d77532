"""Workers of Celery as processes, and what is sent to them and what becomes of it."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sidegate_sidecar.lab.processes import Child, end_all
from tests.support.apps.celery_app import FOLDER, Note, make_app, notes
from tests.support.processes.services import PATHS, Sidecar, until

_WORKER: Final = (
    "--app=tests.support.apps.celery_app",
    "worker",
    "--loglevel=warning",
    "--without-gossip",
    "--without-mingle",
    "--without-heartbeat",
)


@contextmanager
def working(folder: Path, sidecar: Sidecar, *pools: Sequence[str]) -> Generator[None]:
    """Run a worker for each of the pools, which are options; all take tasks from one folder."""
    make_app(folder)
    ours = {"PYTHONPATH": PATHS, "SIDEGATE_SIDECAR": str(sidecar.link), FOLDER: str(folder)}
    workers = [
        Child(
            f"worker {pool[0]}",
            "celery",
            *_WORKER,
            f"--hostname={at}@test",
            *pool,
            environment=ours,
        )
        for at, pool in enumerate(pools)
    ]
    try:
        yield
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
    """Return the notes of what became of a task."""
    return [it for it in notes(folder) if (it.what, it.task) == (what, task)]


def wait_for(folder: Path, what: str, task: str, times: int) -> None:
    """Wait until that became of a task so many times."""
    until(lambda: len(noted(folder, what, task)) == times, lambda: str(notes(folder)))
