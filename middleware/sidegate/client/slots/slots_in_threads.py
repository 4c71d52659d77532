"""Slots of the threads of one process: by a thread that listens, over a connection of its own.

A slot is held by its connection, so somebody has to see when that breaks: then another one is
dialled, and says what is held. The thread lives while slots are asked for or held, and a little
longer.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from sidegate.client.unreachable.freeing import Freeing
from sidegate.forks import begins_in_children
from sidegate.link.blocking.line import FAULTS, Line
from sidegate.protocol.codec import decode, refuse
from sidegate.protocol.holds.slot_messages import (
    MAX_SLOT_ROWS,
    FreedBy,
    SlotAnswer,
    SlotAsk,
    SlotsFreed,
    SlotsHeld,
    SlotState,
)
from sidegate.protocol.levels import OlderSide
from sidegate.protocol.messages import Forget, Message, Ping, Pong, Roster

if TYPE_CHECKING:
    from sidegate.link.endpoint import Endpoint
    from sidegate.protocol.holds.slot_messages import FreedRow, HeldRow

log = logging.getLogger("sidegate")

STEP: Final = 0.01  # seconds of a step of a dial
MAX_LATE: Final = 2.0  # seconds that an answer may wait for its own process, as with checks
IDLE: Final = 5.0  # seconds that a connection is kept while nothing is asked for or held
UP_WITHIN: Final = 2.0  # seconds, of a dial
PAUSE: Final = 0.1  # seconds between two dials, and for which nobody is asked after one in vain
SHUNNED: Final = 0.5  # seconds for which a sidecar isn't asked that gave no answer, nor has since
SILENT: Final = 35.0  # seconds: a sidecar tells its ring each 10
MAX_ASKING: Final = 4_096  # threads that wait at the same time


class _ThreadAsking:
    __slots__ = ("answer", "ask", "done", "until", "waits")

    def __init__(self, ask: SlotAsk) -> None:
        self.ask = ask
        self.done = threading.Event()
        self.answer: SlotAnswer | None = None
        self.until = time.monotonic() + ask.wait / 1e3
        self.waits = False


class ThreadSlots:
    """What the threads of one process ask for and hold."""

    def __init__(self, options: Endpoint) -> None:
        self._options = options
        self._lock = Freeing(self._free)
        self._asking: dict[int, _ThreadAsking] = {}
        self._held: dict[int, tuple[str, float]] = {}  # key and end, by slot
        self._out: list[SlotAsk | SlotsFreed] = []  # to be said on the connection that is up
        self._runs = False
        self._ends = False
        self._failed_at = -PAUSE
        self._silent_at = -SHUNNED
        self._listened_at = 0.0  # when the thread has last found nothing more to hear
        self._why = ""
        self._dialled: Line | None = None  # the last one, and
        self._line: Line | None = None  # the same while it is up
        self._bells: tuple[
            socket.socket, ...
        ] = ()  # to wake the thread by: where it is heard, rung
        begins_in_children(self)

    def begin_child(self) -> None:
        """Close a forked process's copies: a connection lives as long as one of them does."""
        self._ends = True
        self._lock.begin_child()
        self._asking, self._held = {}, {}
        if self._dialled is not None:
            self._dialled.close()
        self._silence()

    def why(self) -> str:
        """Return why there was no answer the last time, for people."""
        return self._why or f"no answer within {self._options.budget * 1e3:g} ms"

    # --- what threads ask

    def ask(self, ask: SlotAsk) -> SlotAnswer | None:
        """Return what became of a question; None if nobody has answered in time.

        What was granted is held from then on, until `free` is called.
        """
        asking = _ThreadAsking(ask)
        if not self._begin(asking):
            return None
        try:
            self._await(asking)
        except BaseException:
            self.free(ask.slot, ask.key)
            raise
        if asking.answer is None:
            if not asking.waits and not asking.done.is_set():
                self._silent_at = time.monotonic()
            self.free(ask.slot, ask.key)  # an answer may still be on its way
        return asking.answer

    def _begin(self, asking: _ThreadAsking) -> bool:
        with self._lock:
            now = time.monotonic()
            is_down = now - self._failed_at < PAUSE and self._line is None
            is_silent = now - self._silent_at < SHUNNED
            if self._ends or is_down or is_silent or len(self._asking) >= MAX_ASKING:
                return False
            self._asking[asking.ask.slot] = asking
            self._out.append(asking.ask)
            if not self._runs:
                return self._start(asking)
            self._ring()
            return True

    def _start(self, asking: _ThreadAsking) -> bool:
        try:
            self._bells = socket.socketpair()
            for bell in self._bells:
                bell.setblocking(False)
            threading.Thread(target=self._run, name="sidegate slots", daemon=True).start()
        except (RuntimeError, OSError) as error:  # the process ends, or has too many
            del self._asking[asking.ask.slot]
            self._why = str(error)
            self._silence()
            return False
        self._runs = True
        return True

    def _await(self, asking: _ThreadAsking) -> None:
        budget = self._options.budget
        asked_at = time.monotonic()
        while not asking.done.wait(budget) and not asking.waits:
            now = time.monotonic()
            # A process that gets no CPU must not pass for a sidecar that is silent.
            if self._listened_at >= asked_at + budget / 2 or now > asked_at + budget + MAX_LATE:
                return
            if self._line is None:  # it is still being dialled
                return
        while (left := asking.until + budget - time.monotonic()) > 0:
            if asking.done.wait(left):
                return

    def free(self, slot: int, key: str) -> None:
        """Give a slot back, also one that may have been granted or not."""
        self._lock.free((slot, key))

    def _free(self, row: FreedRow) -> None:
        slot, _ = row
        self._asking.pop(slot, None)
        self._held.pop(slot, None)
        if self._line is None:
            self._out = [it for it in self._out if not _is_of(it, slot)]
            return  # nobody to tell: all that it held is free
        self._out.append(SlotsFreed(0, "", FreedBy.RELEASED, [row]))
        self._ring()

    def _ring(self) -> None:
        """Wake the thread; call it under the lock."""
        for bell in self._bells[1:]:
            with suppress(OSError):  # it rings already
                bell.send(b"!")

    def _silence(self) -> None:
        bells, self._bells = self._bells, ()
        for bell in bells:
            bell.close()

    def close(self) -> None:
        """Have the thread end, and with its connection all that is held."""
        with self._lock:
            self._ends = True
            self._ring()

    # --- what the thread does

    def _run(self) -> None:
        pause = threading.Event()  # not time.sleep, which tests of apps replace
        while True:
            began = time.monotonic()
            was_up = self._listen()
            if not self._goes_on(was_up=was_up):
                return
            if time.monotonic() - began < PAUSE:
                pause.wait(PAUSE)

    def _goes_on(self, *, was_up: bool) -> bool:
        """Ask again on another connection; after a dial in vain nobody waits for it."""
        now = time.monotonic()
        with self._lock:
            self._line = None
            self._out.clear()
            if was_up and not self._ends:
                for asking in self._asking.values():
                    wait = max(int((asking.until - now) * 1e3), 0)
                    self._out.append(replace(asking.ask, wait=wait))
            else:
                self._failed_at = now
                for asking in self._asking.values():
                    asking.done.set()
                self._asking.clear()
            self._runs = not self._ends and bool(self._asking or self._held)
            if not self._runs:
                self._silence()
            return self._runs

    def _listen(self) -> bool:
        """Dial, and listen until the connection is lost, or needed no more.

        Return whether somebody was there who can be asked.
        """
        line = self._dialled = Line(self._options, STEP)
        try:
            self._dial(line)
            self._why = ""
            self._hear_all(line)
        except OlderSide as older:  # as where nobody is: it won't answer over another one either
            self._why = str(older)
            return False
        except FAULTS as error:
            self._why = str(error) or type(error).__name__
            line.fail(error)
        except Exception as fault:  # its slots are freed with its connection
            self._why = type(fault).__name__
            log.exception("a fault in sidegate; please report it")
        finally:
            line.close()
        return line.is_up

    def _dial(self, line: Line) -> None:
        deadline = time.monotonic() + UP_WITHIN
        while not line.is_up:
            if not line.advance() and (self._ends or time.monotonic() > deadline):
                raise TimeoutError(f"no answer within {UP_WITHIN:g} s")
        now = time.monotonic()
        with self._lock:
            rows: list[HeldRow] = [
                (slot, key, int((ends - now) * 1e3))
                for slot, (key, ends) in self._held.items()
                if ends > now
            ]
            self._line = line
        for at in range(0, len(rows), MAX_SLOT_ROWS):
            line.tell(SlotsHeld(0, "", rows[at : at + MAX_SLOT_ROWS], 1))

    def _hear_all(self, line: Line) -> None:
        heard_at = used_at = time.monotonic()
        ear = self._bells[0]
        while not self._ends and not line.is_left:
            self._say(line)
            line.wait_with(ear, self._step(line))
            with suppress(BlockingIOError):
                ear.recv(4_096)
            now = time.monotonic()
            while line.is_readable():
                heard_at, self._silent_at = now, -SHUNNED
                for body in line.receive():
                    self._hear(line, decode(body))
            self._listened_at = now
            if now - heard_at > SILENT:
                raise TimeoutError(f"nothing heard for {SILENT:g} s")
            if self._asking or self._held:
                used_at = now
            elif now - used_at > IDLE:
                return

    def _step(self, line: Line) -> float:
        if line.is_clogged:
            return STEP
        return max(self._options.budget / 4, STEP) if self._asking else 1.0

    def _say(self, line: Line) -> None:
        with self._lock:
            out, self._out = self._out, []
        for message in out:
            line.tell(message)
        if line.is_clogged:
            line.send(b"")

    def _hear(self, line: Line, message: Message) -> None:
        match message:
            case SlotAnswer():
                self._answered(message)
            case Ping():
                line.tell(Pong(message.id))
            case Roster():
                line.is_left = message.leaving == 1
            case Forget() | Pong():
                pass
            case _:
                refuse(message)

    def _answered(self, answer: SlotAnswer) -> None:
        slot = answer.slot
        with self._lock:
            asking = self._asking.get(slot)
            if asking is not None and answer.state is SlotState.WAITS:
                asking.waits = True
                return
            self._asking.pop(slot, None)
            if asking is not None:
                asking.answer = answer
                if answer.state is SlotState.GRANTED:
                    ends = time.monotonic() + asking.ask.ttl / 1e3
                    self._held[slot] = asking.ask.key, ends
                asking.done.set()
            elif answer.state is SlotState.GRANTED and slot not in self._held:
                self._out.append(SlotsFreed(0, "", FreedBy.RELEASED, [(slot, "")]))


def _is_of(message: SlotAsk | SlotsFreed, slot: int) -> bool:
    return isinstance(message, SlotAsk) and message.slot == slot
