"""Rules that are watched from an event loop, over its link."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sidegate.protocol.standing_messages import WatchRules

if TYPE_CHECKING:
    from sidegate.client.rules.pushed_rules import PushedRules
    from sidegate.link.link import Link
    from sidegate.protocol.standing_messages import RulesPush


class LoopRules:
    """Asks for the rules each time that a link is up, and has others take them over."""

    def __init__(self, pushed: PushedRules) -> None:
        self._pushed = pushed

    def watch(self, link: Link) -> None:
        """Begin, also on a link that is up."""
        link.on_rules = self._on_push
        self.link_up(link)

    def link_up(self, link: Link) -> None:
        """Ask, with the digest of what is here already."""
        if why := link.lacks(WatchRules):
            self._pushed.lacking(why)
        else:
            link.tell(WatchRules(self._pushed.digest))  # if it isn't up, this is called again

    def unheard(self, why: str) -> None:
        """Called when the sidecar can't be had; `why` for people."""
        self._pushed.unheard(why)

    def _on_push(self, push: RulesPush) -> None:
        if self._pushed.arrive(push):
            threading.Thread(target=self._pushed.take, name="sidegate rules", daemon=True).start()
