"""InForce: what files said when they could be used last, looked at while they may change."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from sidegate.watched import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidegate.watched import Stamp

Value = TypeVar("Value")

log = logging.getLogger("sidegate")

LOOK_EVERY: Final = 1.0  # seconds; a kubelet takes a minute to bring a new file
SETTLED_AFTER: Final = 0.2  # seconds without a change: half a file may be one that says less
MAX_WRITES: Final = 25  # of 5 s that somebody keeps writing: then it is read as it is


class InForce(Generic[Value]):
    """What `read` returns of the files at `paths`. A new version is swapped whole, or not at all.

    `read` is called in a thread, beside the checks, and raises OSError or ValueError for what can't
    be used; here it does so at the start. `value` is what is in force: who asks for it twice may
    get another. `fault` says why the files aren't as they are now, "" if they are; `changes` is how
    many came into force since the first, of those that say something else; each of these is told
    to `on_change`.
    """

    def __init__(self, what: str, paths: Sequence[str], read: Callable[[], Value]) -> None:
        self.fault = ""
        self.changes = 0
        self.on_change: Callable[[Value], None] = _tell_nobody
        self._what = what
        self._paths = paths
        self._read = read
        self._read_at = self._stamps()  # first: the next look sees what comes after
        self.value = read()

    def _stamps(self) -> list[Stamp]:
        return [stamp(path) for path in self._paths]

    async def run(self) -> None:
        """Look for changes, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Take over what has changed since it was read, if that can be used; else say so once."""
        if self._stamps() == self._read_at:
            return
        at = await self._settled()
        try:
            value = await asyncio.to_thread(self._read)
        except OSError as error:  # it is tried again: rights to a file can come without a change
            self._read_at = []
            self._refuse(f"{error.filename}: {error.strerror}")
        except ValueError as error:
            self._read_at = at
            self._refuse(str(error))
        else:
            self._read_at = at
            self._take_over(value)

    async def _settled(self) -> list[Stamp]:
        """Wait until nobody writes to the files any more."""
        at = self._stamps()
        for _ in range(MAX_WRITES):
            await asyncio.sleep(SETTLED_AFTER)
            before, at = at, self._stamps()
            if at == before:
                break
        return at

    def _refuse(self, why: str) -> None:
        if why != self.fault:
            self.fault = why
            kept = "can't be used, what was read before stays in force"
            log.error("%s %s: %s", self._what, kept, why)

    def _take_over(self, value: Value) -> None:
        was_faulty, self.fault = bool(self.fault), ""
        before, self.value = self.value, value
        if value != before:
            self.changes += 1
            self.on_change(value)
        elif not was_faulty:  # written anew, and the same
            return
        log.info("%s in force: %s", self._what, ", ".join(self._paths))


def _tell_nobody(_value: object) -> None:
    """Have nobody hear of a change."""
