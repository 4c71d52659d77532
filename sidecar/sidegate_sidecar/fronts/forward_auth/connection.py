"""One connection to the forward-auth port: one request at a time, each with its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sidegate_sidecar.fronts.forward_auth.heads import (
    MAX_HEAD_BYTES,
    MAX_HEAD_LINES,
    HeadError,
    malformed,
    too_long_a_head,
)
from sidegate_sidecar.fronts.forward_auth.replies import CONTINUE, refused, reply
from sidegate_sidecar.fronts.forward_auth.styles import denial_of
from sidegate_sidecar.fronts.port_connection import PortConnection, PortTimeouts, is_over

if TYPE_CHECKING:
    import asyncio
    from typing import Protocol

    from sidegate.http.request_limiter import Verdict
    from sidegate_sidecar.fronts.forward_auth.heads import AuthHead, HeadReader
    from sidegate_sidecar.fronts.forward_auth.proxied_request import AskingPeer
    from sidegate_sidecar.fronts.port_connection import PortFront
    from sidegate_sidecar.links.admission.admission import Arrival

    class AuthFront(PortFront, Protocol):
        """What a connection needs of the server that accepted it."""

        reader: HeadReader

        @property
        def patience(self) -> AuthTimeouts:
            """What it may take its time for."""
            ...

        def date(self) -> bytes:
            """Return the time, as HTTP writes it."""
            ...

        def trusts(self, address: str) -> bool:
            """Tell whether a proxy at that address needs no secret."""
            ...

        def peer_at(self, address: str) -> AskingPeer:
            """Return the proxy at an address, which is believed."""
            ...

        def ask(self, connection: AuthConnection, head: AuthHead) -> None:
            """Have `answer` or `refuse` called for a request, now or later."""
            ...

        def refused(self, connection: AuthConnection, reason: str, why: str = "") -> None:
            """Count what a connection was refused for; `why` is for the log."""
            ...


READ_AT_ONCE: Final = MAX_HEAD_BYTES
_FIRST_BYTE: Final = 0x21  # no method begins with less; TLS does


@dataclass(frozen=True, slots=True)
class AuthTimeouts(PortTimeouts):
    """And what one of a proxy may."""

    request: float = 5.0  # from its first byte to its last
    idle: float = 150.0  # without a request: proxies keep theirs open for 60 to 120


class AuthConnection(PortConnection["AuthFront"]):
    """A proxy's connection. Its requests are answered one after the other."""

    def __init__(self, arrival: Arrival, front: AuthFront) -> None:
        super().__init__(arrival, front)
        self.peer: AskingPeer | None = None  # once it is believed
        self._head: AuthHead | None = None  # of the request whose body comes
        self._left = 0  # bytes of that
        self._denial = 0  # the status of refusals, 0 for their own
        self._stays = True  # after the next answer
        self._is_head = False  # is what is asked a HEAD, whose answer has no body?
        self._since: float | None = None  # when the request began that isn't whole
        self._idle_since = front.now()

    # --- what asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        super().connection_made(transport)
        if self._front.trusts(self.arrival.host):
            self.believe()

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came, and read no more while there is enough to do."""
        if self._over_since is not None:
            return
        if self._since is None:
            self._since = self._front.now()
        self._data += self._front.scratch[:nbytes]
        if len(self._data) > MAX_HEAD_BYTES:
            self._pause_reading()
        if not self._waits:
            self._front.wait(self)

    # --- what the server tells

    def believe(self) -> bool:
        """Let it ask from now on; False if as many as may be do already."""
        if self._front.proved(self):
            self.peer = self._front.peer_at(self.arrival.host)
            return True
        most = "expected fewer connections (--max-connections)"
        self.refuse(HeadError(503, "busy", most), is_last=True)
        return False

    def step(self) -> None:
        """Ask about the next request, once it is there as a whole."""
        if self._is_lost or self._waits or self._over_since is not None:
            return
        if self._unread_since is not None or (self._head is None and not self._read_head()):
            return
        head = self._head
        assert head is not None  # or there was none to read
        if self._left:
            skipped = min(self._left, len(self._data))
            self._data, self._left = self._data[skipped:], self._left - skipped
            if self._left:
                self._listen()
                return
        self._head, self._since, self._waits = None, None, True
        self._stays, self._is_head = head.stays, head.method == "HEAD"
        self._front.ask(self, head)

    def _read_head(self) -> bool:
        """Look at what came for a head; False if none is there yet, or it was refused."""
        data = self._data
        end = data.find(b"\r\n\r\n") + 4
        try:
            if end < 4:
                _require_begun(data)
                self._listen()
                return False
            head = self._front.reader.read(data[:end])
        except HeadError as wrong:
            self.denies_as(denial_of(data))
            self.refuse(wrong, is_last=True)
            return False
        self._head, self._left, self._data = head, head.body, data[end:]
        if self._left and b"expect" in head.fields:
            self._write(CONTINUE)
        return True

    def denies_as(self, status: int) -> None:
        """Have refusals that status, 0 for their own."""
        self._denial = status

    def refuse(self, wrong: HeadError, *, is_last: bool = False) -> None:
        """Answer a request that is no good; `is_last` if what follows could be anything."""
        self._front.refused(self, wrong.reason, wrong.why)
        if is_last:
            self._stays = False
        self.answer(refused(wrong.status, wrong.why))

    def answer(self, verdict: Verdict) -> None:
        """Write an answer, and go on with the next request, or end."""
        self._waits = False
        if self._is_lost:
            return
        self._idle_since = self._front.now()
        stays, is_head, denial = self._stays, self._is_head, self._denial
        self._write(reply(verdict, self._front.date(), denial=denial, stays=stays, is_head=is_head))
        if not stays:
            self._end()
        elif self._data or self._has_ended:
            self._since = self._idle_since
            self._front.wait(self)
        else:
            self._listen()

    def _expire_asking(self, now: float) -> None:
        patience = self._front.patience
        if self._unread_since is not None:
            return  # that has its own time
        if is_over(self._since, patience.request, now):
            waited = f"expected all of the request within {patience.request:g} s"
            self.denies_as(denial_of(self._data))
            self.refuse(HeadError(408, "timeout", waited), is_last=True)
        elif self._since is None and is_over(self._idle_since, patience.idle, now):
            self.close()


def _require_begun(data: bytes) -> None:
    """Raise HeadError if this can't be how a head begins."""
    if data and data[0] < _FIRST_BYTE:
        raise malformed("expected HTTP 1.1: a method, a path")
    lines = data.count(b"\n")
    if lines != data.count(b"\r\n"):
        raise malformed("expected lines that end in CR and LF")
    if len(data) > MAX_HEAD_BYTES or lines > MAX_HEAD_LINES:
        raise too_long_a_head()
