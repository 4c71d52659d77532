"""Rules that are watched from threads: by a thread of their own, over a connection of its own.

Those who ask read their connection only while they ask, and whom no rule limits asks nothing. Like
all else here it lives through forks: a child's first request starts another one.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from sidegate.link.blocking.line import FAULTS, Line
from sidegate.protocol.codec import decode, refuse
from sidegate.protocol.levels import OlderSide
from sidegate.protocol.messages import Forget, Message, Ping, Pong, Roster
from sidegate.protocol.standing_messages import RulesPush, WatchRules

if TYPE_CHECKING:
    from sidegate.client.rules.pushed_rules import PushedRules
    from sidegate.link.endpoint import Endpoint

log = logging.getLogger("sidegate")

STEP: Final = 0.25  # seconds of a read: so long does it take at most to end
UP_WITHIN: Final = 2.0  # seconds, of a dial
SILENT: Final = 35.0  # seconds: a sidecar tells its ring each 10
PAUSE: Final = 0.25  # seconds before the first dial that follows another one
MAX_PAUSE: Final = 2.0


class ThreadRules:
    """A thread that listens, from the first `watch` to `close`."""

    def __init__(self, options: Endpoint, pushed: PushedRules) -> None:
        self._options = options
        self._pushed = pushed
        self._lock = threading.Lock()
        self._is_watching = False
        self._ends = threading.Event()
        self._line: Line | None = None

    def watch(self) -> None:
        """Have the thread run, if it doesn't."""
        if self._is_watching:
            return
        with self._lock:
            if self._is_watching or self._ends.is_set():
                return
            self._is_watching = True
        try:
            threading.Thread(target=self._run, name="sidegate rules", daemon=True).start()
        except RuntimeError:  # the process ends, or has too many: the next one tries again
            self._is_watching = False

    def _run(self) -> None:
        pause = PAUSE
        while not self._ends.is_set():
            pause = PAUSE if self._listen() else min(2 * pause, MAX_PAUSE)
            self._ends.wait(pause)

    def _listen(self) -> bool:
        """Dial, ask, and listen until the connection is lost; was it ever there?"""
        self._line = line = Line(self._options, STEP)
        try:
            self._dial(line)
            self._hear_all(line)
        except FAULTS as error:
            line.fail(error)
            self._pushed.unheard(str(error) or type(error).__name__)
        except Exception:  # another look is better than none for ever
            log.exception("a fault in sidegate; please report it")
        finally:
            line.close()
            self._line = None
        return line.is_up

    def _dial(self, line: Line) -> None:
        deadline = time.monotonic() + UP_WITHIN
        while not line.is_up:
            if not line.advance() and time.monotonic() > deadline:
                raise TimeoutError(f"no answer within {UP_WITHIN:g} s")
        try:
            line.tell(WatchRules(self._pushed.digest))
        except OlderSide as why:  # the connection ends when another one takes its place
            self._pushed.lacking(str(why))

    def _hear_all(self, line: Line) -> None:
        heard_at = time.monotonic()
        while not self._ends.is_set() and not line.is_left:
            if line.is_clogged:
                line.send(b"")
            bodies = line.receive()
            for body in bodies:
                self._hear(line, decode(body))
            if bodies:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > SILENT:
                raise TimeoutError

    def _hear(self, line: Line, message: Message) -> None:
        match message:
            case RulesPush():
                if self._pushed.arrive(message):
                    self._pushed.take()
            case Ping():
                line.tell(Pong(message.id))
            case Roster():
                line.is_left = message.leaving == 1
            case Forget() | Pong():
                pass
            case _:
                refuse(message)

    def close(self) -> None:
        """Have the thread end, within a step."""
        self._ends.set()

    def abandon(self) -> None:
        """Close a forked process's copy of the connection."""
        if (line := self._line) is not None:
            line.close()
