"""RulesHeld: which rules each node has in force, as it says itself, and if they differ. Pure."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from sidegate.buckets.limits import SECOND
from sidegate_sidecar.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

LASTS: Final = 120 * SECOND  # ns: a kubelet takes a minute or two to bring a new file everywhere
MAX_NAMED: Final = 3  # nodes and versions in a line of the log

log = logging.getLogger("sidegate")


class RulesHeld:
    """Digests of rules by node: `mine`, and those that others tell. "" is no rules file.

    What a node of an older release holds isn't known, and counts for nothing.
    """

    __slots__ = ("_differ_since", "_is_said", "_name", "_theirs", "mine")

    def __init__(self, name: str) -> None:
        self.mine = ""
        self._name = name
        self._theirs: dict[str, str] = {}
        self._differ_since: int | None = None
        self._is_said = False

    def hear(self, name: str, digest: str | None) -> None:
        """Called when a node that is known has spoken; None if it didn't say which."""
        if digest is None:
            self.forget(name)
        else:
            self._theirs[name] = digest

    def forget(self, name: str) -> None:
        """Forget what a node held, which is gone."""
        self._theirs.pop(name, None)

    def of(self, name: str) -> str | None:
        """Return the digest of a node's rules; None while it isn't known."""
        return self.mine if name == self._name else self._theirs.get(name)

    def versions(self) -> int:
        """Return how many different rules there are, of the nodes that have told theirs."""
        return len({self.mine, *self._theirs.values()})

    def look(self, now: int) -> None:
        """Log once that they have differed for long, and when they don't any more; `now` in ns."""
        if self.versions() == 1:
            if self._is_said:
                log.info("all nodes have the same rules again: %s", shown(self.mine))
            self._is_said, self._differ_since = False, None
            return
        if self._differ_since is None:
            self._differ_since = now
        if not self._is_said and now - self._differ_since >= LASTS:
            self._is_said = True
            log.warning("nodes have %d different rules in force: %s", *self._difference())

    def _difference(self) -> tuple[int, str]:
        by_digest: dict[str, list[str]] = {self.mine: [self._name]}
        for name, digest in sorted(self._theirs.items()):
            by_digest.setdefault(digest, []).append(name)
        held = [f"{shown(it)} ({_some(names)})" for it, names in by_digest.items()]
        return len(held), _some(held, "; ")


def shown(digest: str) -> str:
    """Return a digest for people."""
    return visible(digest) or "no rules file"


def _some(texts: Iterable[str], separator: str = ", ") -> str:
    texts = list(texts)
    more = len(texts) - MAX_NAMED
    named = separator.join(map(visible, texts[:MAX_NAMED]))
    return f"{named} and {more:,} more" if more > 0 else named
