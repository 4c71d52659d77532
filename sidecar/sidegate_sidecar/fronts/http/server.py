"""The HTTP server: accepts, has each connection do its work in turn, and finds who answers.

Checks never wait long for it: it does one piece of work in a turn of the loop, and all of its work
takes a share of the loop's time, small while checks come. Only who has shown the secret is not
kept waiting.
"""

from __future__ import annotations

import asyncio
import logging
from socket import gethostname
from time import monotonic
from typing import TYPE_CHECKING

from sidegate_sidecar.fronts.http.accepting import Acceptor
from sidegate_sidecar.fronts.http.admission.auth import Access
from sidegate_sidecar.fronts.http.admission.request_admission import RequestAdmission
from sidegate_sidecar.fronts.http.admission.routes import Answerer, Right, route_of
from sidegate_sidecar.fronts.http.connection import HttpConnection, HttpTimeouts
from sidegate_sidecar.fronts.http.duty import Duty
from sidegate_sidecar.fronts.http.http11.reply import problem
from sidegate_sidecar.fronts.http.http_metrics import HttpCollector
from sidegate_sidecar.fronts.http.http_refusals import HttpRefusals
from sidegate_sidecar.fronts.http.live.feed import Feed
from sidegate_sidecar.fronts.http.live.live import Live
from sidegate_sidecar.fronts.http.responder import Responder
from sidegate_sidecar.fronts.http.work_turns import WorkTurns
from sidegate_sidecar.fronts.http_date import HttpDate
from sidegate_sidecar.links.admission.unproven import Unproven, origin
from sidegate_sidecar.links.sessions import LATE
from sidegate_sidecar.telemetry.metrics import make_registry
from sidegate_sidecar.telemetry.scrape import Scrape

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from sidegate.link.address import Address
    from sidegate_sidecar.fronts.http.http11.head import Head, HttpRequest
    from sidegate_sidecar.fronts.http.http11.reply import Reply
    from sidegate_sidecar.sidecar import Sidecar

log = logging.getLogger("sidegate")

READ_AT_ONCE = 16 << 10  # bytes: no honest head is longer
MAX_LOCAL = 128  # a machine's own tools, and what a proxy on it lets in
MAX_PROVEN = 512  # connections that have shown the secret; more stay among those that haven't
PIECE_TAKES = 100e-6  # seconds that the loop has had for a piece of work before we see it
APP_TAKES = 2e-3  # seconds for a call that the app answers
FAULT = "a fault of this sidecar; its log says more"
FAULT_LINE = "a fault in sidegate; please report it"
END_WITHIN = 2.0  # seconds that calls in progress have when the server stops


class HttpServer:
    """Serves a sidecar's HTTP on a socket that already listens, at that address."""

    def __init__(self, sidecar: Sidecar, address: Address, listening: socket.socket) -> None:
        config = sidecar.config
        self.scratch = bytearray(READ_AT_ONCE)
        self.patience = HttpTimeouts()
        self.refusals = HttpRefusals()
        self.open: set[HttpConnection] = set()
        self._access = Access(config)
        names = (config.http.host, config.name, gethostname(), *config.http_hosts)
        self._admission = RequestAdmission(self._access, names)
        self.registry = make_registry(sidecar, HttpCollector(self.open, self.refusals))
        self.scrape = Scrape(self.registry, monotonic)
        self.answers = Responder(sidecar, address, self.scrape)
        self.live = Live(Feed(sidecar).event, self._may_read)
        self.unproven: Unproven[HttpConnection] = Unproven(max_local=MAX_LOCAL)
        self.proven: set[HttpConnection] = set()
        self._turns: WorkTurns[HttpConnection] = WorkTurns()
        self._duty = Duty()
        self._sidecar = sidecar
        self._accepting = Acceptor(listening, self._take, self._asked)
        self._date = HttpDate()
        self._next_turn: asyncio.Handle | None = None
        self.calls: set[asyncio.Future[None]] = set()
        self._next_look: asyncio.Handle | None = None
        self._look_due = 0.0

    @property
    def rests(self) -> bool:
        """Is nobody there whose time could be over, and all told of who was?"""
        return self._next_look is None

    async def start(self) -> None:
        """Serve from now on."""
        self._accepting.start()

    async def stop(self) -> None:
        """Take no more connections, let calls in progress end, and close all."""
        self._accepting.stop()
        self.live.stop()
        if self.calls:
            await asyncio.wait(self.calls, timeout=END_WITHIN)
        for connection in list(self.open):
            connection.close()
        for handle in (self._next_turn, self._next_look):
            if handle is not None:
                handle.cancel()
        for task in self.calls:
            task.cancel()

    def _take(self, accepted: socket.socket, peer: str) -> None:
        connection = HttpConnection(accepted, peer, origin(peer), self)
        self.open.add(connection)
        displaced = self.unproven.admit(connection, peer)
        self.wait(connection)
        if self.rests:
            self._look_later()
        if displaced is not None:
            self.refused(displaced, "busy")
            displaced.abort()

    # --- what a connection needs

    def now(self) -> float:
        """Return the time, in seconds."""
        return monotonic()

    def date(self) -> str:
        """Return the time, as HTTP writes it."""
        return self._date.text()

    def refusal(self, head: Head) -> Reply | None:
        """Tell why a request may not go on, None for one that may."""
        return self._admission.refusal(head)

    def wait(self, connection: HttpConnection) -> None:
        """Have a connection do a piece of work when it is its turn."""
        if connection.is_trusted:
            asyncio.get_running_loop().call_soon(connection.step)
            return
        self._turns.add(connection, connection.place)
        if self._next_turn is None:
            self._plan()

    def answer(self, connection: HttpConnection, request: HttpRequest) -> None:
        """Have a connection write the reply to a request, now or later."""
        head = request.head
        route = route_of(head.path)
        assert route is not None  # or it would have been refused
        if route.place is Answerer.FRONT:
            connection.reply(self.answers.at_once(head))
        elif route.place is Answerer.FILE:
            connection.reply(self.answers.file(head))
        elif route.place is Answerer.DOCUMENT:
            self._call(connection, self.answers.document(head))
        elif route.place is Answerer.LIVE:
            self._trust(connection, head)
            self.live.join(connection, head)
        elif route.place is Answerer.CHECK:
            self._trust(connection, head)
            self._check(connection, request)
        else:
            self._trust(connection, head)
            self._call(connection, self.answers.call(request))

    def refused(self, connection: HttpConnection, reason: str, status: int = 0) -> None:
        """Count what a connection was refused for."""
        self.refusals.add(reason, status, connection.peer, monotonic())

    def lost(self, connection: HttpConnection) -> None:
        """Forget a connection."""
        self.open.discard(connection)
        self.proven.discard(connection)
        self.unproven.remove(connection)
        self._turns.remove(connection, connection.place)
        self.live.leave(connection)

    # ---

    def _asked(self) -> int:
        return self._sidecar.node.asked

    def _may_read(self, head: Head) -> bool:
        return self._access.refusal(Right.READ, head) is None

    def _trust(self, connection: HttpConnection, head: Head) -> None:
        if self._access.proves(head) and len(self.proven) < MAX_PROVEN:
            self.unproven.remove(connection)
            self.proven.add(connection)
        connection.is_trusted = self._access.trusts(head)
        if not connection.is_trusted:
            self._duty.spend(APP_TAKES, monotonic(), self._asked())

    def _plan(self) -> None:
        """Plan the next piece of work, if there is one, for when the duty allows it."""
        self._next_turn = None
        if self._turns:
            loop = asyncio.get_running_loop()
            wait = self._duty.wait(monotonic())
            self._next_turn = (
                loop.call_later(wait, self._turn) if wait else loop.call_soon(self._turn)
            )

    def _turn(self) -> None:
        began = monotonic()
        if self._turns:
            self._step(self._turns.next())
        now = monotonic()
        self._duty.spend(now - began + PIECE_TAKES, now, self._asked())
        self._plan()

    def _step(self, connection: HttpConnection) -> None:
        self._guard(connection, connection.step)

    @staticmethod
    def _guard(connection: HttpConnection, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # that one ends; the others go on
            log.exception(FAULT_LINE)
            connection.abort()

    def _check(self, connection: HttpConnection, request: HttpRequest) -> None:
        """Have a check answered: at once if this node decides it, without a task."""
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def take(reply: Reply) -> None:  # called by the link that has brought the answer, too
            if not answered.done():
                answered.set_result(None)
                self._guard(connection, lambda: connection.reply(reply))

        try:
            is_check = self.answers.check(request, take)
        except Exception:
            log.exception(FAULT_LINE)
            take(problem(500, FAULT))
            return
        if not is_check:
            self._call(connection, self.answers.call(request))
        elif not answered.done():
            self.calls.add(answered)
            answered.add_done_callback(self.calls.discard)

    def _call(self, connection: HttpConnection, call: Awaitable[Reply]) -> None:
        task = asyncio.get_running_loop().create_task(self._reply(connection, call))
        self.calls.add(task)
        task.add_done_callback(self.calls.discard)

    async def _reply(self, connection: HttpConnection, call: Awaitable[Reply]) -> None:
        try:
            reply = await call
        except Exception:
            log.exception(FAULT_LINE)
            reply = problem(500, FAULT)
        connection.reply(reply)

    def _look(self) -> None:
        """End connections that are overdue, now and as long as there are any.

        A look that comes late ends none: what they sent meanwhile is still to be read.
        """
        self._next_look = None
        now = monotonic()
        self.refusals.tell_rest(now)
        if now - self._look_due < LATE:
            for connection in list(self.open):
                connection.expire(now)
        if self.open or self.refusals.keeps_some:
            self._look_later()

    def _look_later(self) -> None:
        wait = self.patience.look_every
        self._look_due = monotonic() + wait
        self._next_look = asyncio.get_running_loop().call_later(wait, self._look)
