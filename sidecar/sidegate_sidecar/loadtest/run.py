"""A run of the load generator, from its start to its exit code."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import msgspec
from yarl import URL

from sidegate_sidecar.errors import BAD_INPUT, OUT_OF_REACH, Failure
from sidegate_sidecar.loadtest.ending import exit_code_of, send_beside
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
from sidegate_sidecar.loadtest.show.summary import heading, summary

if TYPE_CHECKING:
    from sidegate_sidecar.loadtest.judge.crashes import CrashEvent
    from sidegate_sidecar.loadtest.judge.report import LoadReport
    from sidegate_sidecar.loadtest.plan.settings import Order

_ANSWERED: Final = tuple(set(Outcome) - {Outcome.BROKEN, Outcome.HELD_BACK, Outcome.UNDER_WAY})


def run_load(order: Order) -> int:
    """Send what was ordered, print the verdict and write the reports; return the exit code.

    0 if all promises were kept, 1 if not. Failure if nothing can be reached there, if the file of
    crashes can't be read, or if the system doesn't allow so many connections.
    """
    require_open_files(order.max_in_flight)
    _events(order)  # what is wrong with it now is said before half a minute of load
    return exit_code_of(_run(order))


async def _run(order: Order) -> LoadReport:
    report = assess(
        await _play(order),
        name=order.name,
        url=order.url,
        urls=order.urls,
        seed=order.seed,
        prefix=order.key_prefix,
    )
    _publish(report, order)
    return report


async def _play(order: Order) -> Facts:
    await _require_reach(URL(order.url), order.timeout)
    scenario, records = order.scenario, Records(len(order.scenario.streams))
    target = Target(order.urls, order.key_names, scenario.key_header, order.headers)
    sender = Sender(target, records, order.max_in_flight, order.timeout)
    watched = WatchedRun(
        _heading(order), scenario.seconds, scenario.names, scenario.rate, sender, records
    )
    async with sender.session() as session:
        if scenario.baseline:
            await sender.warm_up(scenario.names.index(scenario.baseline), session)
        begun = time.time()
        planned = schedule(scenario, order.seed)
        complete = await send_beside(sender, planned, session, display().show(watched))
        elapsed = sender.now
    _require_answers(order, records)
    events = crashes(_events(order), begun, elapsed)
    return Facts(scenario, records, begun, elapsed, events, complete, order.tolerated)


def _heading(order: Order) -> str:
    """Return what is done, in one line."""
    scenario = order.scenario
    of = f"scenario {order.name}, " if order.name else ""
    return (
        f"sidegate load: {of}{scenario.rate:,.4g} requests/s for {scenario.seconds:g} s"
        f" to {order.url}, keys {order.key_prefix}-…, seed {order.seed}"
    )


def _events(order: Order) -> list[CrashEvent]:
    try:
        return read_events(order.crashes) if order.crashes else []
    except CrashesError as error:
        raise Failure(BAD_INPUT, f"--crashes {order.crashes!r}: {error}") from None


def _publish(report: LoadReport, order: Order) -> None:
    print_summary(summary(report, heading(report)))
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
