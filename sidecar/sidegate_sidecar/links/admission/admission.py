"""Admission: connections from when they are accepted until they have proved who they are.

One is silent until its first word is whole, a frame or a record of TLS: a file and nothing else, no
buffers and no TLS. Then it speaks, and is given what a handshake needs. Each stage has places of
its own (see `unproven.py`), so that silence costs nobody a handshake that is under way: an honest
side speaks at once, and then only those who speak as well are in its way.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from sidegate.protocol.codec import encode
from sidegate.protocol.messages import Error
from sidegate_sidecar.links.admission.unproven import Unproven, origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sidegate.link.connection import Connection

# Who dials speaks with the very packet that ends its own handshake of TCP, however far away it is,
# so a few milliseconds are enough: at 4,000 new connections a second 1,024 have 250, and take 1 MB.
# A fourth at an address, and on this machine: a pod's workers all start at once.
MAX_SILENT = 1_024
MAX_SILENT_AT_AN_ORIGIN = 256
MAX_SILENT_LOCAL = 256
# A handshake takes one round trip, and with TLS two: 400 ms over 200 ms there and back. At 2,500 a
# second (we read no more from strangers beside our checks) 1,024 have as long. They take 6 MB, with
# TLS 60. A fourth at an address: behind one that is shared, 640 of its others in a second.
MAX_SPEAKING = 1_024
MAX_SPEAKING_AT_AN_ORIGIN = 256
MAX_SPEAKING_LOCAL = 256
FILES_SHARE = 8  # of the files that we may open, strangers have this part: at 1,024 still 128


class Arrival:
    """A connection that has proved nothing; `since` is when it was accepted, in the loop's time.

    `drop` closes the socket as long as nobody else has it. Nothing here refers to itself: thousands
    a second come and go, and are to be gone at once.
    """

    __slots__ = ("drop", "has_begun", "host", "is_plain", "remote", "session", "since", "socket")

    def __init__(self, taken: socket.socket, host: str, remote: str, since: float) -> None:
        self.socket = taken
        self.host = host
        self.remote = remote  # for people
        self.since = since
        self.is_plain = True  # no TLS around it
        self.has_begun = False  # to say its first word
        self.session: Connection | None = None  # once it speaks, until it has proved itself
        self.drop: Callable[[Arrival], None] | None = None

    def refuse(self, code: str, text: str) -> None:
        """Close it, with a word why if that can be said without a handshake of TLS."""
        if self.session is None and self.is_plain:
            with suppress(OSError):
                self.socket.send(encode(Error(code, text)))
        self.stop()

    def stop(self) -> None:
        """Close it, or cut it off below what has been built on it, which then ends by itself."""
        if self.drop is not None:
            self.drop(self)
            return
        with suppress(OSError):  # it has ended
            self.socket.shutdown(socket.SHUT_RDWR)


class Admission:
    """All arrivals of a sidecar. `displaced` is told of each that had to go for a newer one."""

    def __init__(
        self,
        displaced: Callable[[Arrival], None],
        max_files: int,
        origin_of: Callable[[str], str] = origin,
    ) -> None:
        share = max(max_files // FILES_SHARE, 8)
        self.silent: Unproven[Arrival] = Unproven(
            min(MAX_SILENT, share), MAX_SILENT_AT_AN_ORIGIN, MAX_SILENT_LOCAL, origin_of
        )
        self.speaking: Unproven[Arrival] = Unproven(
            min(MAX_SPEAKING, share), MAX_SPEAKING_AT_AN_ORIGIN, MAX_SPEAKING_LOCAL, origin_of
        )
        self._displaced = displaced

    def __len__(self) -> int:
        return len(self.silent) + len(self.speaking)

    def __iter__(self) -> Iterator[Arrival]:
        return iter([*self.silent, *self.speaking])

    def arrived(self, arrival: Arrival) -> None:
        """Count in a connection that was just accepted."""
        self._close(self.silent.admit(arrival, arrival.host))

    def spoke(self, arrival: Arrival) -> None:
        """Count one as speaking, from its first word on."""
        self.silent.remove(arrival)
        self._close(self.speaking.admit(arrival, arrival.host))

    def remove(self, arrival: Arrival) -> None:
        """Count one out: it has proved itself, or is gone."""
        arrival.session = None
        self.silent.remove(arrival)
        self.speaking.remove(arrival)

    def make_room(self) -> bool:
        """Close one for the sake of its file; False if there is none."""
        arrival = self.silent.displace() or self.speaking.displace()
        self._close(arrival)
        return arrival is not None

    def overdue(self, before: float) -> list[Arrival]:
        """Return those that were accepted before that time."""
        return [arrival for arrival in self if arrival.since < before]

    def _close(self, arrival: Arrival | None) -> None:
        if arrival is not None:
            self._displaced(arrival)
            arrival.stop()

    def close(self) -> None:
        """Close all."""
        for arrival in self:
            self.remove(arrival)
            arrival.stop()
