"""PushedRules: the rules in force in this process, as its sidecar has pushed them last."""

from __future__ import annotations

import logging
import threading
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from sidegate.buckets.decision import OnUnreachable
from sidegate.client.rules.rules_copy import RulesCopy
from sidegate.forks import begins_in_children
from sidegate.ruleset.document import MAX_ENCODED
from sidegate.ruleset.ruleset import decode_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.protocol.standing_messages import RulesPush
    from sidegate.ruleset.ruleset import RuleSet

log = logging.getLogger("sidegate")

_SHOWN: Final = 12  # of the characters of a digest, as sidecars show it
_MAX_WHY: Final = 300  # characters: of a hundred mistakes the first is enough
_MAX_REASONS: Final = 8  # why the sidecar can't be had, between two times that it was
_ELSE: Final = "what default= says applies"


class PushedRules:
    """What a client has heard, for all of its loops and threads. `value` is None before.

    It is swapped whole, so who has read it goes on with what it was. `follow` is told what the
    rules in force say of `on_unreachable`, None for nothing. At first there is what the file `copy`
    has, if one is named.
    """

    def __init__(
        self,
        copy: object = None,
        follow: Callable[[OnUnreachable | None], None] | None = None,
    ) -> None:
        self.value: RuleSet | None = None
        self.digest = ""  # of that; "" where there is none
        self.is_awaited = True  # until something was heard, or waiting for it was in vain
        self._follow = follow
        self._copy = None if copy is None else RulesCopy(copy)
        self._said = ""
        self._unheard: set[str] = set()  # the reasons that were said since it was heard
        self._arrived: RulesPush | None = None
        self._is_taking = False
        self._lock = threading.Lock()  # over the two above
        begins_in_children(self)
        if self._copy is not None:
            self._read(self._copy)

    def begin_child(self) -> None:
        """Begin in a forked process, where whoever took rules over isn't there."""
        self._lock = threading.Lock()
        self._is_taking = False
        self._arrived = None

    # --- what the sidecar says

    def arrive(self, push: RulesPush) -> bool:
        """Keep what came until `take`; True if the caller is to have that called.

        It takes up to a second of the longest rules, so not in an event loop.
        """
        with self._lock:
            self._arrived = push
            if self._is_taking:
                return False
            self._is_taking = True
            return True

    def take(self) -> None:
        """Take over what came last, until nothing newer is there. It never raises."""
        while True:
            with self._lock:
                push, self._arrived = self._arrived, None
                if push is None:
                    self._is_taking = False
                    return
            try:
                self._take(push)
            except Exception:  # the app must not suffer for its limiter
                log.exception("a fault in sidegate; please report it")
            self.is_awaited = False

    def _take(self, push: RulesPush) -> None:
        if not push.digest:
            self._put(None, "")
            self._say(
                logging.WARNING,
                f"the sidecar has no rules (it was started without --rules): {_ELSE}",
            )
        elif push.digest == self.digest:
            self._say_in_force()
        elif push.encoded:
            try:
                self._put(read_encoded(push.digest, push.encoded), push.digest)
            except ValueError as error:
                self._say(
                    logging.ERROR,
                    f"rules of the sidecar can't be used: {_first_line(error)}; {self.kept}",
                )
                return
            self._say_in_force()
            self._write(push.digest, push.encoded)

    def lacking(self, why: str) -> None:
        """Called when the sidecar is of a release that has no rules for apps; `why` for people."""
        self.is_awaited = False
        self._say(logging.WARNING, f"no rules from the sidecar: {why}; {self.kept}")

    def unheard(self, why: str) -> None:
        """Called when the sidecar can't be had; that is said while no rules are known, once.

        Where they limit nobody yet, nothing is checked, and nothing else would say it.
        """
        self.is_awaited = False
        if self.value is None and why not in self._unheard and len(self._unheard) < _MAX_REASONS:
            self._unheard.add(why)
            log.warning("sidegate: no rules from the sidecar: %s; %s", why, self.kept)

    def nobody(self) -> None:
        """Called where no sidecar is asked, on purpose."""
        self.is_awaited = False
        self._say(logging.WARNING, f"no sidecar is asked, so there are no rules of one: {_ELSE}")

    @property
    def kept(self) -> str:
        """What goes on where nothing new came, for people."""
        return "those from before stay in force" if self.value is not None else _ELSE

    def _put(self, rules: RuleSet | None, digest: str) -> None:
        self.value, self.digest = rules, digest
        self._unheard.clear()
        if self._follow is not None:
            said = None if rules is None else rules.document.defaults.on_unreachable
            self._follow(None if said is None else OnUnreachable(said))

    # --- the copy

    def _read(self, copy: RulesCopy) -> None:
        try:
            digest, encoded = copy.read()
            self._put(read_encoded(digest, encoded), digest)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or _first_line(error)
            self._say(logging.WARNING, f"rules_copy {str(copy.path)!r} is not used: {why}; {_ELSE}")
        else:
            self._say(
                logging.INFO,
                f"rules of the last copy in force, until the sidecar says: {self._shown}",
            )

    def _write(self, digest: str, encoded: bytes) -> None:
        if self._copy is None:
            return
        try:
            self._copy.write(digest, encoded)
        except OSError as error:
            log.warning("sidegate: rules_copy can't be written: %s", error)

    # --- the log

    @property
    def _shown(self) -> str:
        count = len(self.value.rules) if self.value is not None else 0
        return f"{count} rule{'' if count == 1 else 's'}, digest {self.digest[:_SHOWN]}"

    def _say_in_force(self) -> None:
        self._say(logging.INFO, f"rules of the sidecar in force: {self._shown}")

    def _say(self, level: int, line: str) -> None:
        if line != self._said:  # two loops hear the same, and each connection says it again
            self._said = line
            log.log(level, "sidegate: %s", line)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:_MAX_WHY]


def read_encoded(digest: str, encoded: bytes) -> RuleSet:
    """Return rules as they are pushed; ValueError for what isn't whole, or not known here."""
    if len(encoded) > MAX_ENCODED or sha256(encoded).hexdigest() != digest:
        raise ValueError("they are damaged")
    try:
        return decode_rules(encoded)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error
