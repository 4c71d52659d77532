"""A link: one connection to a sidecar that is dialled again when it breaks, and its open questions.

A link is also its own circuit breaker. A budget that ran out, after nothing at all was heard for
the link's patience, makes it *suspect*: it takes no more checks, each is refused at once and
answered by the policy for unreachable. So a hanging sidecar costs one budget and not one per
request, while an asker with a tiny budget proves nothing about the other side, nor does an app's
own busy loop (`in_flight.py`). A probe goes out every 100 ms; the first bytes that come back, be
they a late answer, make the link usable again. A broken link is dialled again with jittered backoff
and is usable from the moment the handshake is done.

A link that `hurries` is for addresses where one sidecar takes over from another. It dials at once
when its connection breaks, and checks wait for that as they did for the first dial; and when its
sidecar says that it is going, which goes on answering until the link has moved.

When the tasks of its loop are cancelled, as asyncio.run does in the end, a link closes at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from sidegate.link.dialing import code_of, dial, why
from sidegate.link.draining import Parting
from sidegate.link.flight import Asker, halves
from sidegate.link.in_flight import GRACE, InFlight
from sidegate.link.redial import Redial
from sidegate.protocol.codec import HEADER_BYTES, MAX_FRAME_BYTES, encode, refuse
from sidegate.protocol.messages import (
    MAX_CHECKS,
    NODE_MESSAGES,
    Answers,
    Check,
    Checks,
    Hello,
    Holdings,
    Inspect,
    Message,
    NodeMessage,
    Outcomes,
    Ping,
    Pong,
    Reset,
    Roster,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ssl import SSLContext

    from sidegate.link.address import Address
    from sidegate.link.connection import Connection
    from sidegate.link.flight import Flight
    from sidegate.link.watcher import Watcher
    from sidegate.protocol.handshake import Identity
    from sidegate.protocol.messages import Ids

MAX_IN_FLIGHT = 65_536  # checks: about 16 MB; beyond it, waiting longer helps no one
PROBE_EVERY = 0.1  # seconds between two pings to a suspect: how late a recovery may be noticed
HUNG_AFTER = 5.0  # seconds a suspect may stay silent before the connection is given up
MAX_UNSENT = 4 << 20  # bytes waiting to be sent, beyond which what may be lost is dropped


class State(StrEnum):
    """What a link is good for."""

    CONNECTING = "connecting"  # first or in a hurry: checks wait for it, within their budget
    UP = "up"
    SUSPECT = "suspect"  # connected, but a budget ran out: checks are refused
    DOWN = "down"  # not connected: checks are refused
    CLOSED = "closed"


_CONNECTING, _UP, _SUSPECT = State.CONNECTING, State.UP, State.SUSPECT  # quicker to look up


Context: TypeAlias = Callable[[], "SSLContext | None"]
"""Makes the TLS context for one dial, from files that may have changed; None for plain TCP."""


class Link:
    """Questions to one sidecar and their answers, over connections that come and go.

    `late` is how much longer than its budget (seconds) a check may take when our loop is late.
    """

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
        self.state = State.CONNECTING
        self.peer: Hello | None = None
        self.refusal = ""  # why the last dial failed, for people
        self.refusal_code = ""  # the other side's word for it, if it had one; "tls" where TLS fails
        self._me = me
        self._watcher = watcher
        self._context = context
        self._max_in_flight = max_in_flight
        self._redial = Redial(max_delay, hurries=hurries)
        self._partings: list[Parting] = []  # few: each lasts one budget at most
        self.loop = asyncio.get_running_loop()
        self._connection: Connection | None = None
        self._flights = InFlight(patience, late)
        self._inspections: dict[int, asyncio.Future[Holdings]] = {}
        self._look_timer: asyncio.TimerHandle | None = None
        self._look_at = inf
        self._probe_timer: asyncio.TimerHandle | None = None
        self._suspect_since = 0.0
        self._waiting: dict[int, bytes] = {}  # for the handshake
        self._last_id = 0
        self._closing: asyncio.Task[None] | None = None
        self._dialling = self.loop.create_task(self._stay_connected())

    @property
    def takes_checks(self) -> bool:
        """Would `ask` take a check now?"""
        return self.state is State.UP or self.state is State.CONNECTING

    @property
    def in_flight(self) -> int:
        """How many checks have neither their answer nor their lack of one."""
        return self._flights.checks

    # --- questions

    def ask(
        self, checks: list[Check], hops: int, budget: float, asker: Asker, ids: Ids = (0, None)
    ) -> bool:
        """Send checks; the asker gets all answers within `budget` seconds, or hears of their lack.

        False, and nothing is sent, if the link takes no checks or too many are in flight.
        """
        count = len(checks)
        if self.state is not _UP and self.state is not _CONNECTING:
            return False
        if self._flights.checks + count > self._max_in_flight:
            return False
        self._last_id = number = self._last_id + 1
        message = Checks(number, hops, int(budget * 1e6), checks, *ids)
        if count > MAX_CHECKS:
            return self._ask_halves(message, budget, asker)
        frame = encode(message)
        if len(frame) > MAX_FRAME_BYTES + HEADER_BYTES:
            return count > 1 and self._ask_halves(message, budget, asker)
        now = self.loop.time()
        look_at = self._flights.add(number, asker, count, budget, now)
        if look_at < self._look_at:
            self._look_by(look_at, now)
        self._write(number, frame)
        return True

    def _ask_halves(self, whole: Checks, budget: float, asker: Asker) -> bool:
        """Send what doesn't fit into one frame in two."""
        count = len(whole.checks)
        middle = count // 2
        places = list(range(count)) if whole.places is None else whole.places
        ways = slice(middle), slice(middle, None)
        for part, half in zip(ways, halves(asker, middle, count), strict=True):
            ids = whole.serial, places[part]
            if not self.ask(whole.checks[part], whole.hops, budget, half, ids):
                half.unanswered(None)
        return True

    async def inspect(self, key: str, *, reset: bool, hops: int, budget: float) -> Holdings | None:
        """Return the buckets of a key there, or those forgotten; None if there is no answer."""
        if not self.takes_checks:
            return None
        self._last_id = number = self._last_id + 1
        answer: asyncio.Future[Holdings] = self.loop.create_future()
        self._inspections[number] = answer
        self._write(number, encode((Reset if reset else Inspect)(number, hops, key)))
        try:
            async with asyncio.timeout(budget):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._inspections[number]
            self._waiting.pop(number, None)

    def tell(self, message: NodeMessage | Outcomes) -> bool:
        """Say something that isn't answered; False if the other side can't be reached now."""
        connection = self._connection
        if connection is None or connection.transport.get_write_buffer_size() > MAX_UNSENT:
            return False
        connection.send(message)
        return True

    def _write(self, number: int, frame: bytes) -> None:
        if self._connection is not None and self.state is _UP:
            self._connection.write(frame)
        else:
            self._waiting[number] = frame

    # --- answers

    def message(self, connection: Connection, message: Message) -> None:
        """Handle a message of the other side."""
        if self.state is _SUSPECT:
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
            case Holdings():
                if (answer := self._inspections.get(message.id)) and not answer.done():
                    answer.set_result(message)
            case Ping():
                connection.send(Pong(message.id))
            case Pong():
                pass
            case _ if isinstance(message, NODE_MESSAGES):
                self._watcher.message(self, message)
            case _:
                refuse(message)

    # --- deadlines: one timer a link

    def _look_by(self, at: float, now: float) -> None:
        if self._look_timer is not None:
            self._look_timer.cancel()
        self._look_at = at
        self._flights.expect(now, at)
        self._look_timer = self.loop.call_at(at, self._look)

    def _look(self) -> None:
        now = self.loop.time()
        if self._flights.is_due(now):
            self._flights.expect(now, now + GRACE)
            self._look_timer = self.loop.call_later(GRACE, self._sweep)  # read first
        else:
            self._look_again(now)

    def _look_again(self, now: float) -> None:
        self._look_timer, self._look_at = None, inf
        if (at := self._flights.next_look(now)) < inf:
            self._look_by(at, now)

    def _sweep(self) -> None:
        now = self.loop.time()
        overdue = self._flights.take_overdue(now)
        for number in overdue:
            self._waiting.pop(number, None)
        silent = self._flights.is_silent(now)
        self._look_again(now)
        if overdue:
            if silent:
                self._suspect()
            self._give_up(overdue.values())

    def _give_up(self, flights: Iterable[Flight]) -> None:
        for flight in flights:
            self._flights.checks -= flight.left
            flight.crash()

    # --- the breaker

    def _suspect(self) -> None:
        if self.state is State.UP:
            self.state = State.SUSPECT
            self._suspect_since = self.loop.time()
            self._probe()
        elif self.state is State.CONNECTING:
            self.state = State.DOWN
            self._waiting.clear()

    def _probe(self) -> None:
        if self._connection is None or self.state is not State.SUSPECT:
            return
        if self.loop.time() - self._suspect_since > HUNG_AFTER:
            self._connection.abort()
            return
        self._connection.send(Ping(0))
        self._probe_timer = self.loop.call_later(PROBE_EVERY, self._probe)

    def _trust_again(self) -> None:
        self.state = State.UP
        if self._probe_timer is not None:
            self._probe_timer.cancel()
        self._watcher.link_trusted(self)

    # --- connecting

    async def _stay_connected(self) -> None:
        try:
            while True:
                if await self._dial():
                    await self._redial.ended()
                else:
                    self._redial.failed()
                    if self._connection is None:
                        self._lose_all()
                await self._redial.pause()
        finally:
            # Unless we are closed, all tasks of the loop are being cancelled.
            if self.state is not State.CLOSED and not self.loop.is_closed():
                self._end()

    async def _dial(self) -> bool:
        try:
            context = None if self.address.path else self._context()
            return (await dial(self.address, self._me, context, self)).is_up
        except (OSError, TimeoutError, ValueError) as error:
            self.refusal_code = code_of(error)
            self._note_refusal(why(error))
            return False

    def up(self, connection: Connection) -> None:
        """Send what waited for the handshake."""
        assert connection.peer is not None  # the handshake is done
        if self._connection is not None:
            self._part_with(self._connection)
        self.peer, self.refusal, self.refusal_code = connection.peer, "", ""
        self._connection, self.state = connection, State.UP
        self._redial.up()
        for frame in self._waiting.values():
            connection.write(frame)
        self._waiting.clear()
        self._watcher.link_up(self, connection.peer)

    def _part_with(self, connection: Connection) -> None:
        """Leave a connection, and what was asked on it, for another one that is up."""
        flights = self._flights.take_all(self.loop.time())
        self._partings = [parting for parting in self._partings if not parting.is_over]
        self._partings.append(Parting(connection, flights, self._settle))

    def _settle(self, checks: int) -> None:
        self._flights.checks -= checks

    def lost(self, connection: Connection, error: Exception | None) -> None:
        """Answer what was in flight by the policy for unreachable, at once."""
        if error is not None:
            self.refusal_code = code_of(error)
            self._note_refusal(str(error))
        if connection is self._connection:
            self._lose_all()
            if self._redial.lost():
                self.state = State.CONNECTING
            self._watcher.link_down(self)

    def _lose_all(self) -> None:
        self._connection = None
        if self.state is not State.CLOSED:
            self.state = State.DOWN
        self._waiting.clear()
        self._give_up(self._flights.take_all(self.loop.time()).values())

    def _note_refusal(self, text: str) -> None:
        said, self.refusal = self.refusal, text
        if text != said and self.refusal_code != "self":  # once; our own seed is usual
            self._watcher.link_refused(self, text)

    def close_soon(self) -> None:
        """Close for good, without waiting for it."""
        self._closing = self.loop.create_task(self.close())

    async def close(self) -> None:
        """Close for good; what is in flight is answered by the policy for unreachable."""
        self._dialling.cancel()
        if connection := self._stop():
            connection.close()
            await connection.closed.wait()
        for parting in self._partings:
            await parting.close()
        await asyncio.gather(self._dialling, return_exceptions=True)

    def _stop(self) -> Connection | None:
        """Take no more checks, answer those in flight, and return what is to be closed."""
        self.state = State.CLOSED
        for timer in (self._look_timer, self._probe_timer):
            if timer is not None:
                timer.cancel()
        connection = self._connection
        self._lose_all()
        return connection

    def _end(self) -> None:
        """Close for good in this very turn: the loop has only a few left."""
        if connection := self._stop():
            connection.abort()
        for parting in self._partings:
            parting.abort()
        self._watcher.link_ended(self)
