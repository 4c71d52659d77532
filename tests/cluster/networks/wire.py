"""The wire between network namespaces: a process that carries packets, or loses or delays them.

Each namespace has one end of it, a TUN device whose file this process was given. The kernel's own
tools for bad networks aren't in every kernel (netem is in few of those that CI machines boot), and
a wire of our own loses packets without telling anyone, as a bad network does and a device that is
down doesn't.

    python -m tests.cluster.networks.wire CONTROL END END END      (numbers of open files)

The file CONTROL is a socket on which it is told which ways are bad; it ends when that is closed.
"""

import os
import select
import socket
import sys
from contextlib import suppress
from heapq import heappop, heappush
from random import Random
from time import monotonic
from typing import Final

import msgspec

MAX_COMMAND: Final = 1 << 16  # bytes: a way takes 50
SEED: Final = 7  # which packets are lost; when they are sent is up to the kernels all the same


class Way(msgspec.Struct, frozen=True):
    """From one end to another: what part of the packets is lost (0 to 1), and the delay (s)."""

    source: int
    to: int
    loss: float = 0.0
    delay: float = 0.0


class Carried(msgspec.Struct, frozen=True):
    """What became of all packets so far."""

    packets: int
    lost: int


PERFECT: Final = Way(-1, -1)


def address(end: int) -> str:
    """Return the IP address at an end of the wire; they are numbered from 0."""
    return f"10.77.0.{end + 1}"


class Wire:
    """The ends, and the packets that are on their way. Times are of `monotonic`, in seconds."""

    def __init__(self, control: socket.socket, ends: list[int]) -> None:
        self._control = control
        self._ends = ends
        self._ways: dict[tuple[int, int], Way] = {}
        self._late: list[tuple[float, int, int, bytes]] = []  # due when, number, to, packet
        self._packets = self._lost = 0
        self._random = Random(SEED)

    def run(self) -> None:
        """Carry packets until the control socket is closed."""
        poll = select.poll()
        for file in (self._control.fileno(), *self._ends):
            poll.register(file, select.POLLIN)
        while True:
            wait = max(self._late[0][0] - monotonic(), 0) * 1_000 if self._late else None
            ready = {file for file, _ in poll.poll(wait)}
            if self._control.fileno() in ready and not self._obey():
                return
            for source, file in enumerate(self._ends):
                if file in ready:
                    self._take(source, file)
            while self._late and self._late[0][0] <= monotonic():
                _, _, to, packet = heappop(self._late)
                self._put(to, packet)

    def _obey(self) -> bool:
        """Have just these ways be bad, and say what was carried so far; False at the end."""
        command = self._control.recv(MAX_COMMAND)
        if not command:
            return False
        ways = msgspec.json.decode(command, type=list[Way])
        self._ways = {(way.source, way.to): way for way in ways}
        self._control.send(msgspec.json.encode(Carried(self._packets, self._lost)))
        return True

    def _take(self, source: int, file: int) -> None:
        """Take all packets that wait at an end."""
        with suppress(BlockingIOError):
            while True:
                self._carry(source, os.read(file, 65_536))

    def _carry(self, source: int, packet: bytes) -> None:
        if packet[0] >> 4 != 4 or not 0 < packet[19] <= len(self._ends):
            return  # IPv6 looking around, or a multicast
        to = packet[19] - 1
        way = self._ways.get((source, to), PERFECT)
        self._packets += 1
        if self._random.random() < way.loss:
            self._lost += 1
        elif way.delay:
            heappush(self._late, (monotonic() + way.delay, self._packets, to, packet))
        else:
            self._put(to, packet)

    def _put(self, to: int, packet: bytes) -> None:
        with suppress(OSError):  # its device is full, or down: lost, as on any wire
            os.write(self._ends[to], packet)


def main() -> None:
    """Carry packets between the files given."""
    control, *ends = map(int, sys.argv[1:])
    with socket.socket(fileno=control) as told:
        Wire(told, ends).run()


if __name__ == "__main__":
    main()
