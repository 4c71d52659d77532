"""Sidecars in network namespaces of their own, with a wire between them that can be bad.

A namespace has no name here and no `ip netns add`: a thread makes one for itself, and whatever is
started from that thread is in it. So nothing outside is touched or can collide, and the kernel
takes it away with its last process, however a test ends. To look inside while a test runs:
`nsenter -t PID -n ip addr`, with the process id of a sidecar.
"""

import asyncio
import ctypes
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from errno import ENODEV, ENXIO
from fcntl import ioctl
from functools import partial
from itertools import permutations
from pathlib import Path
from stat import S_IFCHR
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import msgspec
import pytest

from sidegate_sidecar.lab.sidecars import serve
from sidegate_sidecar.lab.waiting import until
from tests.cluster.networks import wire
from tests.cluster.networks.wire import MAX_COMMAND, Carried, Way, address
from tests.support.optional import missing
from tests.support.processes.services import PATIENCE, ROOT, Service

T = TypeVar("T")

NEW_NETWORK: Final = 0x40000000  # CLONE_NEWNET
SET_TUN: Final = 0x400454CA  # TUNSETIFF
TUN: Final = 0x0001  # bare IP packets: no ARP, which would make one-way loss a loss of both ways
NO_PACKET_INFO: Final = 0x1000
TUN_NUMBER: Final = os.makedev(10, 200)
LINK_PORT: Final = 7171
LOOK_EVERY: Final = 0.05  # seconds: each look is a request to each node


class Namespace:
    """A network namespace, and a thread that is in it. `end` numbers its end of the wire."""

    def __init__(self, end: int) -> None:
        self.end = end
        self.thread = ThreadPoolExecutor(1, f"namespace-{end}")

    def enter(self) -> int:
        """Make the namespace; return the file of its end of the wire. Skips where it can't be."""
        return self.run(self._enter)

    def run(self, work: Callable[[], T]) -> T:
        """Do something inside, wait for it, and return what it returns."""
        return self.thread.submit(work).result(PATIENCE)

    def _enter(self) -> int:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(NEW_NETWORK):  # os.unshare comes with Python 3.12
            missing(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        try:
            file = _open_tun()
            ioctl(file, SET_TUN, struct.pack("16sH22x", b"wire", TUN | NO_PACKET_INFO))
        except OSError as error:
            why = f"no TUN device: {error}"
            if error.errno in {ENODEV, ENXIO}:  # not in this kernel: nothing that CI could install
                pytest.skip(why)
            missing(why)
        ip = f"{address(self.end)}/24"
        for command in ("link set lo up", f"addr add {ip} dev wire", "link set wire up"):
            subprocess.run(["ip", *command.split()], check=True)
        return file


def _open_tun() -> int:
    """Open the file of TUN devices, or where there is none, as in some containers, one of ours."""
    usual = Path("/dev/net/tun")
    if usual.exists():
        return os.open(usual, os.O_RDWR | os.O_NONBLOCK)
    with TemporaryDirectory() as place:
        ours = Path(place) / "tun"
        os.mknod(ours, 0o600 | S_IFCHR, TUN_NUMBER)
        return os.open(ours, os.O_RDWR | os.O_NONBLOCK)


class Wire:
    """The process between the namespaces, and which of its ways are bad."""

    def __init__(self, ends: Collection[int]) -> None:
        self._control, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        self._control.settimeout(PATIENCE)
        files = [theirs.fileno(), *ends]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", wire.__name__, *map(str, files)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=files,
        )
        theirs.close()
        self._pairs = list(permutations(range(len(ends)), 2))
        self._bad: list[Way] = []

    def drop(self, *pairs: tuple[int, int]) -> None:
        """Lose all packets from one end to another, and say nothing."""
        self._tell([Way(source, to, loss=1.0) for source, to in pairs])

    def split(self, some: Collection[int]) -> None:
        """Lose all packets between these ends and the others."""
        self.drop(*(it for it in self._pairs if (it[0] in some) != (it[1] in some)))

    def worsen(self, *, loss: float = 0.0, delay: float = 0.0, ends: Collection[int] = ()) -> None:
        """Have all ways, or those of some ends, lose part of their packets, or take some time."""
        pairs = [it for it in self._pairs if not ends or {*it} & {*ends}]
        self._tell([Way(source, to, loss, delay) for source, to in pairs])

    def heal(self) -> None:
        """Carry everything, at once."""
        self._tell([])

    def carried(self) -> Carried:
        """Return what became of all packets so far."""
        return self._tell(self._bad)

    def _tell(self, bad: list[Way]) -> Carried:
        self._bad = bad
        self._control.send(msgspec.json.encode(bad))
        return msgspec.json.decode(self._control.recv(MAX_COMMAND), type=Carried)

    def close(self) -> None:
        """End the process; it is gone when this returns."""
        self._control.close()
        self._process.kill()
        self._process.wait()


class Node(Service):
    """`sidegate serve` in a namespace; to be made inside, where its port of loopback is."""

    ready_at = "/readyz"

    def __init__(
        self,
        space: Namespace,
        everyone: int,
        place: Path,
        budget: float,
        policies: Mapping[str, str],
    ) -> None:
        self.space = space
        self.name = f"n{space.end + 1}"
        super().__init__(f"sidecar {self.name}")
        self.socket = f"unix:{place / self.name}"
        self._everyone = everyone
        self._budget = budget
        self._policies = policies

    @property
    def command(self) -> list[str]:
        links = [f"{address(end)}:{LINK_PORT}" for end in range(self._everyone)]
        mine = links.pop(self.space.end)
        options = {"link": mine, "http": self.http, "socket": self.socket, "budget": self._budget}
        return serve(*links, name=self.name, insecure=True, **options, **self._policies)

    def close(self) -> None:
        """End it, and have pytest show what it said if the test failed."""
        super().close()
        if self.child:
            print(self.title, "said:", self.log)  # noqa: T201  # for pytest

    async def inside(self, work: Callable[[], T]) -> T:
        """Do something in the namespace, and return what it returns."""
        return await asyncio.wrap_future(self.space.thread.submit(work))

    async def view(self) -> dict[str, Any]:
        """Return the cluster as this node sees it: GET /v1/nodes."""
        answer = await self.inside(lambda: self.ask("GET", "/v1/nodes").raise_for_status())
        return dict(answer.json())

    async def sees(self, *names: str) -> bool:
        """Are just these nodes on its ring, linked to and of one mind, and is it one of them?"""
        view = await self.view()
        nodes = view["nodes"]
        return (
            view["stage"] == "member"
            and {node["name"] for node in nodes if node["owner"]} == set(names)
            and {node["life"] for node in nodes} == {"alive"}
            and {node["state"] for node in nodes} == {"up"}
            and {node["ring"] for node in nodes} == {view["ring"]}
        )


class Apart:
    """Sidecars that have nothing in common but the wire."""

    def __init__(self, nodes: list[Node], wire: Wire) -> None:
        self.nodes = nodes
        self.wire = wire

    async def views(self) -> list[dict[str, Any]]:
        """Return the cluster as each node sees it."""
        return await asyncio.gather(*(node.view() for node in self.nodes))

    async def are_rings(self, *rings: Collection[Node]) -> bool:
        """Is each of these groups of nodes a ring of its own?"""
        seen = [node.sees(*(it.name for it in ring)) for ring in rings for node in ring]
        return all(await asyncio.gather(*seen))

    async def are_backed_up(self) -> bool:
        """Has everything that was charged reached its backup?"""
        return not any(view["sync"]["lag"] for view in await self.views())

    async def until(
        self, condition: Callable[[], Awaitable[bool]], within: float = PATIENCE
    ) -> None:
        """Wait until the condition is true; fail `within` seconds, and show what is instead."""
        if not await until(condition, within=within, look_every=LOOK_EVERY):
            pytest.fail(f"not so within {within:g} s: {await self.views()}")

    async def until_rings(self, *rings: Collection[Node], within: float = PATIENCE) -> None:
        """Wait until each of these groups of nodes is a ring of its own."""
        await self.until(partial(self.are_rings, *rings), within)


@contextmanager
def _apart(count: int, budget: float, policies: Mapping[str, str]) -> Generator[Apart]:
    if shutil.which("ip") is None:
        missing("no `ip` command: it is in the package iproute2")
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory()))
        spaces = [Namespace(end) for end in range(count)]
        ends: list[int] = []
        for space in spaces:
            stack.callback(space.thread.shutdown)
            ends.append(space.enter())
            stack.callback(os.close, ends[-1])
        wire = Wire(ends)
        stack.callback(wire.close)
        nodes: list[Node] = []
        for space in spaces:
            nodes.append(space.run(partial(Node, space, count, place, budget, policies)))
            stack.callback(nodes[-1].close)
            space.run(nodes[-1].launch)
        yield Apart(nodes, wire)


@asynccontextmanager
async def apart(count: int = 3, *, budget: float, **policies: str) -> AsyncGenerator[Apart]:
    """Run sidecars n1, n2, ... in namespaces of their own; when this is entered they are one ring.

    Skips, or fails in CI, where there is no root or no `ip`.
    """
    with _apart(count, budget, policies) as apart:
        await asyncio.gather(*(node.inside(node.wait) for node in apart.nodes))
        await apart.until_rings(apart.nodes)
        yield apart
