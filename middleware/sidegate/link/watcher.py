"""A watcher: who is told what happens on a link besides answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sidegate.link.link import Link
    from sidegate.protocol.messages import Hello, NodeMessage, Roster


class Watcher(Protocol):
    """Is called in the loop of the link."""

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

    def on_message(self, link: Link, message: NodeMessage, /) -> None:
        """Handle what the other side says without being asked. A WireError closes the link."""
