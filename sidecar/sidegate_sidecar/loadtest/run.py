"""A run of the load generator, from its start to its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec
import uvloop
from yarl import URL

from sidegate_sidecar.errors import BAD_INPUT, OUT_OF_REACH, Failure
from sidegate_sidecar.loadtest.judge.assess import assess
from sidegate_sidecar.loadtest.judge.crashes import CrashesError, crashes, read_events
from sidegate_sidecar.loadtest.judge.facts import Facts
from sidegate_sidecar.loadtest.plan.schedule import schedule
from sidegate_sidecar.loadtest.send.file_limit import require_open_files
from sidegate_sidecar.loadtest.send.outcome import Outcome
from sidegate_sidecar.loadtest.send.record import Records
from sidegate_sidecar.loadtest.send.sender import Sender, Target
from sidegate_sidecar.loadtest.show.display import WatchedRun, display, print_summary
from sidegate_sidecar.loadtest.show.files import write
from sidegate_sidecar.loadtest.show.page import page

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from sidegate_sidecar.loadtest.judge.crashes import CrashEvent
    from sidegate_sidecar.loadtest.judge.report import Report
    from sidegate_sidecar.loadtest.plan.settings import Order

BROKEN: Final = 1
"""The exit code when a promise was broken."""

_ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ANSWERED: Final = tuple(set(Outcome) - {Outcome.BROKEN, Outcome.HELD_BACK, Outcome.UNDER_WAY})


def run_load(order: Order) -> int:
    """Send what was ordered, print the verdict and write the reports; return the exit code.

    0 if all promises were kept, 1 if not. Failure if nothing can be reached there, if the file of
    crashes can't be read, or if the system doesn't allow so many connections.
    """
    require_open_files(order.max_in_flight)
    _events(order)  # what is wrong with it now is said before half a minute of load
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            facts = runner.run(_play(order))
        report = assess(
            facts,
            name=order.name,
            url=order.url,
            urls=order.urls,
            seed=order.seed,
            prefix=order.key_prefix,
        )
        _publish(report, order)
    except BrokenPipeError:  # whoever reads our lines has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN
    except KeyboardInterrupt:  # before the first request
        return BROKEN
    return 0 if report.passed else BROKEN


async def _play(order: Order) -> Facts:
    await _require_reach(URL(order.url), order.timeout)
    scenario, records = order.scenario, Records(len(order.scenario.streams))
    target = Target(order.urls, order.key_names, scenario.key_header, order.headers)
    sender = Sender(target, records, order.max_in_flight, order.timeout)
    async with sender.session() as session:
        if scenario.baseline:
            await sender.warm_up(scenario.names.index(scenario.baseline), session)
        begun = time.time()
        complete = await _send(order, sender, records, session)
        elapsed = sender.now
    _require_answers(order, records)
    events = crashes(_events(order), begun, elapsed)
    return Facts(scenario, records, begun, elapsed, events, complete, order.tolerated)


async def _send(order: Order, sender: Sender, records: Records, session: ClientSession) -> bool:
    """Send all and show how it goes; tell if it came to its end, and wasn't told to stop."""
    loop = asyncio.get_running_loop()
    showing = asyncio.create_task(display().show(WatchedRun(order, sender, records)))
    sending = asyncio.create_task(sender.run(schedule(order.scenario, order.seed), session))
    for number in _ENDINGS:
        loop.add_signal_handler(number, sending.cancel)
    await asyncio.wait([sending, showing], return_when=asyncio.FIRST_COMPLETED)
    if showing.done():  # it goes on forever, so it failed: nobody sees us any more
        sending.cancel()
    await asyncio.wait([sending])
    showing.cancel()
    with suppress(asyncio.CancelledError):
        await showing
    if sending.cancelled():
        return False
    sending.result()
    return True


def _events(order: Order) -> list[CrashEvent]:
    try:
        return read_events(order.crashes) if order.crashes else []
    except CrashesError as error:
        raise Failure(BAD_INPUT, f"--crashes {order.crashes!r}: {error}") from None


def _publish(report: Report, order: Order) -> None:
    print_summary(report)
    if order.json:
        content = msgspec.json.format(msgspec.json.encode(report), indent=1)
        write("json", order.json, content + b"\n")
    if order.html:
        write("html", order.html, page(report).encode())


# --- is there anybody?


async def _require_reach(url: URL, patience: float) -> None:
    """Connect once, so that a wrong address is told in a line and not by thousands of errors."""
    try:
        async with asyncio.timeout(patience):
            _, writer = await asyncio.open_connection(url.host, url.port)
    except TimeoutError:
        why = f"no connection within {patience:g} s"
    except OSError as error:
        why = error.strerror or str(error)
    else:
        writer.close()
        return
    raise Failure(OUT_OF_REACH, f"{url} can't be reached: {why}")


def _require_answers(order: Order, records: Records) -> None:
    if records.total() and not records.total(_ANSWERED):
        why = next(iter(records.errors), "no request was sent")
        raise Failure(OUT_OF_REACH, f"{order.url} can't be reached: {why}")
