"""RulesInForce: those of a file as it was when it last could be used, looked at all the time."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sidegate.watched import stamp
from sidegate_sidecar.rules_file.rules_file import UnusableFile, load_rules

if TYPE_CHECKING:
    from sidegate.ruleset.ruleset import RuleSet
    from sidegate.watched import Stamp

log = logging.getLogger("sidegate")

LOOK_EVERY: Final = 1.0  # seconds; a kubelet takes a minute to bring a new file
SETTLED_AFTER: Final = 0.2  # seconds without a change: half a file may be one with fewer rules
SHOWN_DIGEST: Final = 12  # of the characters of a digest: enough to tell two files apart
MAX_WRITES: Final = 25  # of 5 s that somebody keeps writing: then it is read as it is


class RulesInForce:
    """The rules of a file. A new version is read aside and swapped whole, or changes nothing.

    `rules` are those in force: who asks for them twice may get others. `fault` says why the file
    as it is now isn't, "" if it is.
    """

    def __init__(self, file: str) -> None:
        """Read the file; UnusableFile or OSError if that can't be done."""
        self.fault = ""
        self.changes = 0  # that came into force since the first
        self._file = Path(file)
        self._read_at = stamp(file)  # first: the next look sees what comes after
        self.rules = load_rules(self._file)

    @property
    def digest(self) -> str:
        """What tells rules in force from others, short: equal ones mean the same."""
        return self.rules.digest[:SHOWN_DIGEST]

    async def run(self) -> None:
        """Look for changes, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Take over what has changed since it was read, if that can be used; else say so once."""
        if stamp(str(self._file)) == self._read_at:
            return
        at = await self._settled()
        try:
            rules = await asyncio.to_thread(load_rules, self._file)  # beside the checks
        except OSError as error:  # it is tried again: rights to a file can come without a change
            self._read_at = None
            self._refuse(f"{self._file}: {error.strerror or error}")
        except UnusableFile as error:
            self._read_at = at
            self._refuse(str(error))
        else:
            self._read_at = at
            self._take_over(rules)

    async def _settled(self) -> Stamp:
        """Wait until nobody writes to the file any more."""
        at = stamp(str(self._file))
        for _ in range(MAX_WRITES):
            await asyncio.sleep(SETTLED_AFTER)
            before, at = at, stamp(str(self._file))
            if at == before:
                break
        return at

    def _refuse(self, why: str) -> None:
        if why != self.fault:
            self.fault = why
            log.error("rules file can't be used, what it said before stays in force: %s", why)

    def _take_over(self, rules: RuleSet) -> None:
        was_faulty, self.fault = bool(self.fault), ""
        before, self.rules = self.rules, rules
        if rules.digest != before.digest:
            self.changes += 1
        elif not was_faulty:  # written anew, and the same
            return
        log.info("rules file %s is in force, digest %s", self._file, self.digest)
