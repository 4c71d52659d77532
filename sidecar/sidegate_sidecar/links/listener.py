"""A listening socket whose certificates may be replaced while it listens."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import TYPE_CHECKING

from sidegate.link.address import Address
from sidegate.protocol.codec import HEADER_BYTES, MAX_HELLO_BYTES
from sidegate.protocol.handshake import PLAIN, UNIX, tls_channel
from sidegate.watched import Watched
from sidegate_sidecar.links.admission.admission import Arrival
from sidegate_sidecar.links.admission.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import TypeAlias

    from sidegate.trust.tls import Tls
    from sidegate_sidecar.links.admission.admission import Admission

    Credentials: TypeAlias = tuple[ssl.SSLContext, bytes]

log = logging.getLogger("sidegate")

LOOK_EVERY = 2.0  # seconds between two looks at the certificate files
SHAKE_WITHIN = 5.0  # seconds for the handshake of TLS: an honest side takes milliseconds
LEAST_TIMEOUT = 0.01  # seconds: asyncio takes none for an error, and the sweep ends it anyway
# A turn of the loop: half a millisecond, so those that are open wait no longer.
MAX_ACCEPTED_A_TURN = 16  # 25 µs each; many, or whoever is honest waits behind 4,096 in the kernel
MAX_BEGUN_A_TURN = 4  # 100 µs each; with TLS one, which takes a millisecond
TLS_HEAD = 5  # bytes before each record: its type, its version and its length
TLS_HANDSHAKE = 0x16  # the type of the first one
CROWD = 16  # handshakes of TLS that may wait without being taken for an attack
TLS_PAUSE = 0.002  # seconds between two then: strangers have a third of our time at most
PAUSE = 1.0  # seconds before the next try to accept when there are no files left


class Listener:
    """Accepts connections on a socket, with TLS if there are certificates for it.

    A connection is accepted with the certificates that are in the files when it begins to speak;
    those that are open go on. `protocol` makes what speaks with it, is told which channel the
    handshake is to bind (PLAIN, UNIX or a `tls_channel`), and hears `connection_lost` also when TLS
    fails before it was connected. Until then, and until that one says that it has proved itself, a
    connection counts in `admission`.
    """

    def __init__(
        self,
        listening: socket.socket,
        admission: Admission,
        protocol: Callable[[Arrival, bytes], asyncio.BaseProtocol],
        tls: Tls | None = None,
        *,
        look_every: float = LOOK_EVERY,
        shake_within: float = SHAKE_WITHIN,
    ) -> None:
        self._socket = listening
        self._admission = admission
        self._protocol = protocol
        self._tls = tls
        self._look_every = look_every
        self._shake_within = shake_within
        self._context: ssl.SSLContext | None = None
        self._turns: Turns[Arrival] = Turns()  # to begin a handshake
        self._timer: asyncio.Handle | None = None
        self._channel = UNIX if listening.family == socket.AF_UNIX else PLAIN
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    async def start(self) -> None:
        """Accept connections from now on."""
        if self._tls is not None:
            certificates = _certificates(self._tls)
            self._use(certificates)
            self._run(self._watch(certificates, self._tls.cert))
        self._loop.add_reader(self._socket, self._accept)

    def _run(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _use(self, certificates: Watched[Credentials]) -> bool:
        """Use what is in the files from now on if it has changed; has it?"""
        has_changed = certificates.look()
        if certificates.value:
            self._context, self._channel = certificates.value
        return has_changed

    def _accept(self) -> None:
        """Take a few of those that wait; the loop calls again while there are more."""
        for _ in range(MAX_ACCEPTED_A_TURN):
            try:
                taken, remote = self._socket.accept()
            except BlockingIOError:
                return
            except ConnectionError:  # it was gone before we took it
                continue
            except OSError as error:  # no file is left: a stranger's is the first to go
                if not self._admission.make_room():
                    self._pause(error)
                return
            taken.setblocking(False)
            self._arrive(taken, remote)

    def _pause(self, error: OSError) -> None:
        log.warning("accepting no connections for %g s: %s", PAUSE, error.strerror)
        self._loop.remove_reader(self._socket)
        self._run(self._resume())

    async def _resume(self) -> None:
        await asyncio.sleep(PAUSE)
        self._loop.add_reader(self._socket, self._accept)

    def _arrive(self, taken: socket.socket, remote: tuple[str, int] | str) -> None:
        if isinstance(remote, tuple):
            host, named = remote[0], str(Address(*remote[:2]))
        else:
            host, named = "", f"unix:{self._socket.getsockname()}"
        arrival = Arrival(taken, host, named, self._loop.time())
        arrival.is_plain = self._context is None
        arrival.drop = self._drop
        self._admission.arrived(arrival)
        self._loop.add_reader(taken, self._heard, arrival)

    def _drop(self, arrival: Arrival) -> None:
        self._loop.remove_reader(arrival.socket)
        self._turns.discard(arrival)
        arrival.socket.close()

    def _heard(self, arrival: Arrival) -> None:
        """Have one wait for its handshake that has said its first word, or close one that is gone.

        A word that isn't whole is waited for where it costs nothing, in the kernel.
        """
        try:
            said = arrival.socket.recv(TLS_HEAD + MAX_HELLO_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            self._admission.remove(arrival)
            arrival.stop()
            return
        missing = first_word(said, tls=self._context is not None)
        if len(said) < missing and not arrival.has_begun and arrival.host:
            arrival.has_begun = True
            arrival.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, missing)
            return
        arrival.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        self._loop.remove_reader(arrival.socket)
        self._admission.spoke(arrival)
        self._turns.add(arrival, arrival.host)
        if self._timer is None:
            self._timer = self._loop.call_soon(self._begin_next)

    def _begin_next(self) -> None:
        """Begin a few handshakes; for more it is called again in the next turn of the loop.

        In a crowd that comes with TLS only after a pause, which is for those that are open.
        """
        has_tls = self._context is not None
        for _ in range(1 if has_tls else MAX_BEGUN_A_TURN):
            if arrival := self._turns.next():
                self._begin(arrival)
        pause = TLS_PAUSE if has_tls and len(self._turns) > CROWD else 0
        self._timer = self._loop.call_later(pause, self._begin_next) if self._turns else None

    def _begin(self, arrival: Arrival) -> None:
        arrival.drop = None

        def ended(task: asyncio.Task[None]) -> None:
            if task.cancelled():  # perhaps before it began, and nobody else has the socket
                arrival.socket.close()

        self._run(self._connect(arrival)).add_done_callback(ended)

    async def _connect(self, arrival: Arrival) -> None:
        protocol = self._protocol(arrival, self._channel)
        try:
            left = arrival.since + self._shake_within - self._loop.time()
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                arrival.socket,
                ssl=self._context,
                ssl_handshake_timeout=max(left, LEAST_TIMEOUT) if self._context else None,
            )
        except OSError as error:
            self._admission.remove(arrival)
            protocol.connection_lost(error)

    async def _watch(self, certificates: Watched[Credentials], named: str) -> None:
        while True:
            await asyncio.sleep(self._look_every)
            try:
                has_changed = self._use(certificates)
            except (OSError, ValueError) as error:  # half written: look again
                log.warning("certificates in %s are not usable yet: %s", named, error)
            else:
                if has_changed:
                    log.info("certificates read again from %s", named)

    async def close(self) -> None:
        """Accept no more connections; once closed, it stays so."""
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._socket)
        if self._timer is not None:
            self._timer.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._socket.close()


def first_word(said: bytes, *, tls: bool) -> int:
    """Return how many bytes the first frame has, or the first record of TLS, as far as it tells.

    What can't be one is whole as it is, and so is what is longer than it may be: it is refused.
    """
    head = TLS_HEAD if tls else HEADER_BYTES
    if len(said) < head:
        return head
    if tls:
        length = int.from_bytes(said[3:5], "big") if said[0] == TLS_HANDSHAKE else 0
    else:
        length = int.from_bytes(said[:HEADER_BYTES], "big")
    return head + length if length <= MAX_HELLO_BYTES else head


def _certificates(tls: Tls) -> Watched[Credentials]:
    """Return what TLS takes to accept a connection, and the channel that a handshake binds."""

    def read() -> Credentials:
        return tls.context(ssl.Purpose.CLIENT_AUTH), tls_channel(tls.certificate())

    return Watched((tls.cert, tls.key, tls.ca), read)
