"""A service: one address, and behind it whichever sidecar is chosen when an app connects."""

from contextlib import AbstractAsyncContextManager
from itertools import count

from sidegate.link.address import Address, parse_address
from tests.support.in_process.relaying import Relay
from tests.support.processes.services import Sidecar


class Service(Relay):
    """Passes each connection on to one of `nodes` in turn, as a Service of Kubernetes does.

    Connections that are there stay with their node, whatever becomes of `nodes`.
    """

    is_kept = False

    def __init__(self, *nodes: Sidecar) -> None:
        super().__init__(Address())
        self.nodes = list(nodes)
        self._late: list[Sidecar] = []
        self._turns = count()

    def drop(self, node: Sidecar, *, late: int = 0) -> None:
        """Choose a node no more, or only for so many connections that come next."""
        self.nodes.remove(node)
        self._late += [node] * late

    def choose(self) -> Address:
        """Choose the node for a connection."""
        chosen = self._late.pop() if self._late else self.nodes[next(self._turns) % len(self.nodes)]
        return parse_address(str(chosen.link))


def service(*nodes: Sidecar) -> AbstractAsyncContextManager[Service]:
    """Run a service for these nodes."""
    return Service(*nodes).running()
