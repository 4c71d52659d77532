"""Tasks of Celery that note in a file when they ran, and when they were put off.

Their broker is a folder, CELERY_TEST_FOLDER, so that no network is needed.
"""

# Celery has no types of its own.
# mypy: disable-error-code="import-untyped, untyped-decorator, no-untyped-call, override"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import os
import time
from pathlib import Path
from queue import Empty
from typing import Any, Final, NamedTuple
from uuid import uuid4

from celery import Celery
from celery.signals import task_retry
from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.utils.json import dumps, loads

from sidegate.client.blocking import BlockingClient
from sidegate.integrations.celery import limited

FOLDER: Final = "CELERY_TEST_FOLDER"


class FolderChannel(virtual.Channel):
    """Queues of files, which several processes may fill and empty.

    A message is written under another name, and taken by another: each is one rename, which
    succeeds for one process. (Kombu's own transport of files hands out some that are half written,
    and loses or doubles some where a folder is on another disk than the temporary one.)
    """

    def _put(self, queue: str, message: object, **_: object) -> None:
        whole = self._folder / f"{time.monotonic_ns():020}_{uuid4()}.{queue}.msg"
        part = whole.with_suffix(".part")
        part.write_text(dumps(message), "utf-8")
        part.rename(whole)

    def _get(self, queue: str, timeout: float | None = None) -> object:
        del timeout
        for path in sorted(self._folder.glob(f"*.{queue}.msg")):
            taken = path.with_suffix(".taken")
            try:
                path.rename(taken)
            except FileNotFoundError:  # somebody else has it
                continue
            message: object = loads(taken.read_text("utf-8"))
            taken.unlink()
            return message
        raise Empty

    @property
    def _folder(self) -> Path:
        return Path(self.connection.client.transport_options["folder"])


class Folder(virtual.Transport):
    """A broker of files; kombu makes it by its name."""

    Channel = FolderChannel


TRANSPORT_ALIASES["folder"] = f"{__name__}:Folder"


class Note(NamedTuple):
    """What became of a task: "ran" or "put-off"."""

    what: str
    task: str
    worker: str
    retries: int
    at: float  # seconds of the machine's clock


def make_app(folder: Path) -> Any:
    """Return an app whose broker is a folder."""
    queue = folder / "queue"
    queue.mkdir(exist_ok=True)
    app = Celery("tests", broker="folder://", set_as_current=False)
    app.conf.update(
        broker_transport_options={"folder": str(queue), "polling_interval": 0.02},
        worker_enable_remote_control=False,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=False,
    )
    return app


def notes(folder: Path) -> list[Note]:
    """Return what was noted so far."""
    path = folder / "notes"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [_read(line) for line in lines]


def _read(line: str) -> Note:
    what, task, worker, retries, at = line.split()
    return Note(what, task, worker, int(retries), float(at))


if FOLDER in os.environ:
    here: Final = Path(os.environ[FOLDER])
    app: Final = make_app(here)
    # Made before the workers fork; each of them has a connection of its own all the same.
    client: Final = BlockingClient(budget=60.0)

    def note(what: str, task: Any) -> None:
        """Append a line, which is whole whoever else writes."""
        request = task.request
        fields = (what, task.name, request.hostname, request.retries, time.monotonic())
        with (here / "notes").open("a", encoding="utf-8") as file:
            file.write(" ".join(map(str, fields)) + "\n")

    def account_of(_: object, account: int) -> int:
        """Return who is counted; called as the task is."""
        return account

    def put_off(sender: Any, **_: object) -> None:
        """Note that a task will be tried again."""
        note("put-off", sender)

    task_retry.connect(put_off)

    # Of the first, no token comes back while a test looks; of the second, soon.
    @app.task(bind=True, name="daily", max_retries=0)
    @limited("3/day", client=client)
    def daily(self: Any) -> None:
        """Note that it ran."""
        note("ran", self)

    @app.task(bind=True, name="quick", max_retries=0)
    @limited("3/2 seconds burst 3", key=account_of, client=client)
    def quick(self: Any, account: int) -> None:
        """Note that it ran."""
        assert account
        note("ran", self)
