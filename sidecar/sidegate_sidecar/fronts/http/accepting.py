"""Accepting connections to the HTTP port: so many at a time, within a share of the loop's time."""

from __future__ import annotations

import asyncio
import logging
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET
from time import monotonic
from typing import TYPE_CHECKING

from sidegate_sidecar.fronts.http.duty import Duty

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

log = logging.getLogger("sidegate")

AT_ONCE = 4  # connections in one turn of the loop: 0.1 ms
EACH_TAKES = 20e-6  # seconds that the loop has had for it before we see it
KERNEL_BUFFER = 64 << 10  # bytes each way: by itself the kernel grows them to megabytes
PAUSE = 1.0  # seconds after the system has refused one: it has no more files, as a rule


class Acceptor:
    """Accepts on a socket that listens; `take` is given each connection and its address.

    It may only hold on to it: a flood of connections is as fast as strangers are.
    """

    def __init__(
        self,
        listening: socket.socket,
        take: Callable[[socket.socket, str], None],
        asked: Callable[[], int],
    ) -> None:
        for buffer in (SO_RCVBUF, SO_SNDBUF):  # what is accepted has the same
            listening.setsockopt(SOL_SOCKET, buffer, KERNEL_BUFFER)
        self._listening = listening
        self._take = take
        self._asked = asked
        self._duty = Duty()
        self._timer: asyncio.Handle | None = None

    def start(self) -> None:
        """Accept from now on."""
        asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        began, pause = monotonic(), 0.0
        for _ in range(AT_ONCE):
            try:
                accepted, remote = self._listening.accept()
            except BlockingIOError:
                break
            except ConnectionError:  # it was gone before we took it
                continue
            except OSError as error:
                log.warning("accepting no HTTP for %g s: %s", PAUSE, error.strerror)
                pause = PAUSE
                break
            accepted.setblocking(False)
            self._take(accepted, remote[0])
        now = monotonic()
        self._duty.spend(now - began + EACH_TAKES, now, self._asked())
        if wait := max(pause, self._duty.wait(now)):
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._listening)
            self._timer = loop.call_later(wait, self.start)

    def stop(self) -> None:
        """Accept no more, and close the socket."""
        if self._timer is not None:
            self._timer.cancel()
        if self._listening.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()
