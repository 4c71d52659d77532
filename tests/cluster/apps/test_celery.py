"""Tasks of Celery in real workers, with a real sidecar: all workers share a limit."""

import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from tests.support.apps.celery_app import notes
from tests.support.processes.celery_workers import noted, send, wait_for, working
from tests.support.processes.services import Sidecar

POOLS: Final = (("--pool=solo",), ("--pool=prefork", "--concurrency=2"))


@pytest.fixture(scope="module")
def folder(sidecar: Sidecar, tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """Run two workers, of three processes that run tasks, which take from one folder."""
    folder = tmp_path_factory.mktemp("celery")
    with working(folder, sidecar, *POOLS):
        yield folder


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
