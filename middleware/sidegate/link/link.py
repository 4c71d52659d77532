"""A link: one connection to a sidecar that is dialled again when it breaks, and its open questions.

What a link is good for is decided in `health.py`, and how long a check waits in `in_flight.py`.

A link that `hurries` is for addresses where one sidecar takes over from another. It dials at once
when its connection breaks, and checks wait for that as they did for the first dial; and when its
sidecar says that it is going, which goes on answering until the link has moved.

When the tasks of its loop are cancelled, as asyncio.run does in the end, a link closes at once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from sidegate.link.dialing import Context, Dialler, Redial
from sidegate.link.draining import Partings
from sidegate.link.health import PROBE_EVERY, Health, LinkEvent, LinkProbe, LinkState
from sidegate.link.in_flight import Asker, InFlight
from sidegate.link.questions import Questions
from sidegate.protocol.cache_messages import CACHE_MESSAGES
from sidegate.protocol.codec import refuse
from sidegate.protocol.holds.lease_messages import Lent
from sidegate.protocol.holds.reservation_messages import Commit, Reserve, Reserved
from sidegate.protocol.holds.slot_messages import SLOT_MESSAGES
from sidegate.protocol.key_messages import KeysListed, KeysReset
from sidegate.protocol.messages import (
    NODE_MESSAGES,
    Answers,
    Check,
    Hello,
    Holdings,
    Inspect,
    Message,
    Ping,
    Pong,
    Refund,
    Reset,
    Roster,
)
from sidegate.protocol.report_messages import ReportAnswer, ReportPart
from sidegate.protocol.standing_messages import RulesPush, Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.link.address import Address
    from sidegate.link.connection import Connection
    from sidegate.link.endpoint import Endpoint
    from sidegate.link.questions import Posed
    from sidegate.protocol.handshake import Identity
    from sidegate.protocol.holds.lease_messages import Borrow, Returned
    from sidegate.protocol.messages import Ids, Inquiry, InquiryAnswer, Trace, UnaskedMessage
    from sidegate.protocol.outcome_messages import Outcomes
    from sidegate.protocol.report_messages import Events
    from sidegate.protocol.standing_messages import WatchRules

MAX_IN_FLIGHT = 65_536  # checks: about 16 MB; beyond it, waiting longer helps no one
APP_DELAY = 0.5  # seconds between two dials of an app: soon limited again when its sidecar is back
MAX_UNSENT = 4 << 20  # bytes waiting to be sent, beyond which what may be lost is dropped

_UNASKED = (*NODE_MESSAGES, *CACHE_MESSAGES, *SLOT_MESSAGES)

_CONNECTING, _UP, _SUSPECT = (
    LinkState.CONNECTING,
    LinkState.UP,
    LinkState.SUSPECT,
)  # quicker to look up


class Watcher(Protocol):
    """Who is told what happens on a link besides answers, in the loop of the link."""

    def link_up(self, link: Link, peer: Hello, /) -> None:
        """Called when the handshake is done."""

    def link_down(self, link: Link, /) -> None:
        """Called when the connection is gone; it is being dialled again."""

    def link_trusted(self, link: Link, /) -> None:
        """Called when the other side, which had been silent, speaks again."""

    def link_refused(self, link: Link, why: str, /) -> None:
        """Handle another reason why there is no connection than the last time: `why`, for people.

        Told once, not for each dial; and not that it is our own address, which is usual in seeds.
        """

    def link_ended(self, link: Link, /) -> None:
        """Called when the loop ends, and the link with it."""

    def roster(self, link: Link, roster: Roster, /) -> None:
        """Handle the other side's view of the ring."""

    def on_message(self, link: Link, message: UnaskedMessage, /) -> None:
        """Handle what the other side says without being asked. A WireError closes the link."""


class Link:
    """Questions to one sidecar and their answers, over connections that come and go.

    `late` is how much longer than its budget (seconds) a check may take when our loop is late.
    """

    @classmethod
    def of_app(cls, options: Endpoint, watcher: Watcher, late: float = 0.0) -> Link:
        """Return a link of an app to its sidecar, whose answers may be so many seconds late."""
        return cls(
            options.sidecar,
            options.identity,
            watcher,
            context=options.context,
            patience=options.budget,
            late=late,
            max_delay=APP_DELAY,
            hurries=True,
        )

    def __init__(
        self,
        address: Address,
        me: Identity,
        watcher: Watcher,
        *,
        context: Context = lambda: None,
        patience: float = 0.01,
        late: float = 0.0,
        max_delay: float = 1.0,
        max_in_flight: int = MAX_IN_FLIGHT,
        hurries: bool = False,
    ) -> None:
        self.address = address
        self.health = Health()
        self.peer: Hello | None = None
        self.on_rules: Callable[[RulesPush], None] | None = None  # of an app that watches them
        self.loop = asyncio.get_running_loop()
        self._watcher = watcher
        self._flights = InFlight(patience, late)
        self._questions = Questions(self.health, self._flights, self._silent, max_in_flight)
        self._probe_timer: asyncio.TimerHandle | None = None
        self._connection: Connection | None = None
        self._partings = Partings(self._flights.settle)
        self._closing: asyncio.Task[None] | None = None
        self._redial = Redial(max_delay, hurries=hurries)
        self._dialler = Dialler(address, me, context, self._redial, self)
        self._dialling = self.loop.create_task(self._stay_connected())

    @property
    def state(self) -> LinkState:
        """What it is good for."""
        return self.health.state

    @property
    def refusal(self) -> str:
        """Why the last dial failed, for people; empty once one succeeded."""
        return self._dialler.refusal

    @property
    def refusal_code(self) -> str:
        """The other side's word for it, if it had one; "tls" where TLS fails."""
        return self._dialler.refusal_code

    @property
    def takes_checks(self) -> bool:
        """Would `ask` take a check now?"""
        state = self.health.state  # read here, as in `ask`: this is asked once a check
        return state is _UP or state is _CONNECTING

    @property
    def in_flight(self) -> int:
        """How many checks have neither their answer nor their lack of one."""
        return self._flights.checks

    # --- questions

    def ask(
        self,
        checks: list[Check],
        hops: int,
        budget: float,
        asker: Asker,
        ids: Ids = (0, None),
        traces: list[Trace] | None = None,
    ) -> bool:
        """Send checks; the asker gets all answers within `budget` seconds, or hears of their lack.

        False, and nothing is sent, if the link takes no checks or too many are in flight.
        """
        return self._questions.ask(checks, hops, budget, asker, ids, traces)

    async def inspect(self, key: str, *, reset: bool, hops: int, budget: float) -> Holdings | None:
        """Return the buckets of a key there, or those forgotten; None if there is no answer."""
        kind = Reset if reset else Inspect
        found = await self.inquire(lambda number: kind(number, hops, key), budget)
        return found if isinstance(found, Holdings) else None

    async def hold(
        self, question: Callable[[int], Reserve | Commit], budget: float
    ) -> Reserved | None:
        """Return what has become of a reservation there, None if there is no answer."""
        found = await self.inquire(question, budget)
        return found if isinstance(found, Reserved) else None

    async def borrow(self, question: Callable[[int], Borrow], budget: float) -> Lent | None:
        """Return what is lent there, None if there is no answer."""
        found = await self.inquire(question, budget)
        return found if isinstance(found, Lent) else None

    async def inquire(
        self, question: Callable[[int], Inquiry], budget: float
    ) -> InquiryAnswer | None:
        """Return the answer to a question of that id within `budget` seconds, None for none."""
        return await self._questions.inquire(question, budget)

    def pose(self, question: Callable[[int], Inquiry]) -> Posed:
        """Ask, and wait for nothing; see `Questions.pose`."""
        return self._questions.pose(question)

    def withdraw(self, number: int) -> None:
        """Forget a question that was posed."""
        self._questions.withdraw(number)

    def lacks(self, kind: type[Message]) -> str:
        """Return why the other side isn't told messages of that kind, for people; "" if it is."""
        return "" if self._connection is None else self._connection.lacks(kind)

    @property
    def unsent(self) -> int:
        """How many bytes wait to be read by the other side."""
        connection = self._connection
        return 0 if connection is None else connection.transport.get_write_buffer_size()

    def tell(
        self, message: UnaskedMessage | Outcomes | Refund | Returned | Events | WatchRules
    ) -> bool:
        """Say something that isn't answered; False if the other side can't be told that now."""
        connection = self._connection
        if connection is None or connection.transport.get_write_buffer_size() > MAX_UNSENT:
            return False
        if connection.lacks(type(message)):
            return False
        connection.send(message)
        return True

    # --- what the other side says

    def on_message(self, connection: Connection, message: Message) -> None:
        """Handle a message of the other side."""
        if self.health.state is _SUSPECT:
            self._trust_again()
        if type(message) is Answers:  # by far the most frequent
            self._flights.land(message)
            return
        self._flights.heard()
        match message:
            case Roster():
                self._watcher.roster(self, message)
                if message.leaving:
                    self._redial.leaving()
            case (
                Holdings()
                | KeysListed()
                | KeysReset()
                | ReportPart()
                | ReportAnswer()
                | Standing()
                | Reserved()
                | Lent()
            ):
                self._questions.told(message)
            case Ping():
                connection.send(Pong(message.id))
            case Pong():
                pass
            case RulesPush() if self.on_rules is not None:
                self.on_rules(message)
            case _ if isinstance(message, _UNASKED):
                self._watcher.on_message(self, message)
            case _:
                refuse(message)

    # --- the breaker

    def suspect(self) -> None:
        """Take the other side for silent, until it says something; for who asks by `tell`."""
        if self.health.state is _UP:
            self._silent(self.loop.time())

    def _silent(self, now: float) -> None:
        if not self.health.step(LinkEvent.SILENT, now):
            return
        if self.state is LinkState.DOWN:
            self._questions.on_disconnected(now)
        else:
            self._probe()

    def _probe(self) -> None:
        if self._connection is None:
            return
        match self.health.probe(self.loop.time()):
            case LinkProbe.PING:
                self._connection.send(Ping(0))
                self._probe_timer = self.loop.call_later(PROBE_EVERY, self._probe)
            case LinkProbe.GIVE_UP:
                self._connection.abort()
            case LinkProbe.NONE:
                pass

    def _trust_again(self) -> None:
        self.health.step(LinkEvent.HEARD, self.loop.time())
        if self._probe_timer is not None:
            self._probe_timer.cancel()
        self._watcher.link_trusted(self)

    # --- connecting

    async def _stay_connected(self) -> None:
        try:
            await self._dialler.run()
        finally:
            # Unless we are closed, all tasks of the loop are being cancelled.
            if self.state is not LinkState.CLOSED and not self.loop.is_closed():
                self._end()

    def on_connected(self, connection: Connection) -> None:
        """Send what waited for the handshake."""
        assert connection.peer is not None  # the handshake is done
        now = self.loop.time()
        if self._connection is not None:
            self._partings.add(self._connection, self._flights.part(now))
        self.peer, self._connection = connection.peer, connection
        self.health.step(LinkEvent.SHAKEN, now)
        self._dialler.up()
        self._questions.on_connected(connection)
        self._watcher.link_up(self, connection.peer)

    def unreached(self) -> None:
        """Answer what waits for a connection by the policy for unreachable, at once."""
        if self._connection is None:
            self._lose_all()

    def refused(self, why: str) -> None:
        """Tell the watcher."""
        self._watcher.link_refused(self, why)

    def on_disconnected(self, connection: Connection, error: Exception | None) -> None:
        """Answer what was in flight by the policy for unreachable, at once."""
        if error is not None:
            self._dialler.lost(error)
        if connection is self._connection:
            self._lose_all()
            if self._redial.lost():
                self.health.step(LinkEvent.HURRIED, self.loop.time())
            self._watcher.link_down(self)

    def _lose_all(self) -> None:
        now = self.loop.time()
        self._connection = None
        self.health.step(LinkEvent.LOST, now)
        self._questions.on_disconnected(now)

    @property
    def is_closing(self) -> bool:
        """Is it closed for good, or going to be in this turn of the loop?"""
        return self._closing is not None

    def close_soon(self) -> None:
        """Close for good, without waiting for it."""
        self._closing = self.loop.create_task(self.close())

    async def close(self) -> None:
        """Close for good; what is in flight is answered by the policy for unreachable."""
        self._dialling.cancel()
        if connection := self._stop():
            connection.close()
            await connection.closed.wait()
        await self._partings.close()
        await asyncio.gather(self._dialling, return_exceptions=True)

    def _stop(self) -> Connection | None:
        """Take no more checks, answer those in flight, and return what is to be closed."""
        self.health.step(LinkEvent.CLOSED, self.loop.time())
        self._questions.stop()
        if self._probe_timer is not None:
            self._probe_timer.cancel()
        connection = self._connection
        self._lose_all()
        return connection

    def _end(self) -> None:
        """Close for good in this very turn: the loop has only a few left."""
        if connection := self._stop():
            connection.abort()
        self._partings.abort()
        self._watcher.link_ended(self)
