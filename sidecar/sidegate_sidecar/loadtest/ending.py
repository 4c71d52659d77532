"""How a run ends: with its plan, by a signal, or with what goes on beside it; and its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

import uvloop

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from aiohttp import ClientSession

    from sidegate_sidecar.loadtest.judge.report import LoadReport
    from sidegate_sidecar.loadtest.plan.schedule import Planned
    from sidegate_sidecar.loadtest.send.sender import Sender

BROKEN: Final = 1
"""The exit code when a promise was broken."""

ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def exit_code_of(run: Coroutine[Any, Any, LoadReport]) -> int:
    """Run it in a loop of its own: 0 if all of its promises were kept, 1 if not."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            report = runner.run(run)
    except BrokenPipeError:  # whoever reads our lines has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN
    except KeyboardInterrupt:  # before the first request
        return BROKEN
    return 0 if report.passed else BROKEN


async def send_beside(
    sender: Sender,
    planned: Iterable[Planned],
    session: ClientSession,
    *others: Coroutine[Any, Any, None],
) -> bool:
    """Send what is planned while others go on, and tell if all of it was sent.

    A signal ends it, and the first of the others that ends; what one of them raised is raised once
    all is answered that was sent.
    """
    sending = asyncio.create_task(sender.run(planned, session))
    beside = [asyncio.create_task(other) for other in others]
    for number in ENDINGS:
        asyncio.get_running_loop().add_signal_handler(number, sending.cancel)
    await asyncio.wait([sending, *beside], return_when=asyncio.FIRST_COMPLETED)
    sending.cancel()
    await asyncio.wait([sending])
    for other in beside:
        other.cancel()
    for result in await asyncio.gather(*beside, return_exceptions=True):
        if isinstance(result, Exception):  # not that it was cancelled
            raise result
    if sending.cancelled():
        return False
    sending.result()
    return True
