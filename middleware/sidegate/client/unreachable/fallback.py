"""The answer to a check when nobody who could decide it can be reached. Pure."""

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.decision import Decision, OnUnreachable, Source, require_on_unreachable
from sidegate.buckets.limits import Limits

MAX_MEMORY = 24 << 20  # bytes of an app's memory, 100,000 keys; a sidecar brings its own buckets
SWEPT = 2  # buckets looked at for each one taken from: more than can come


class Fallback:
    """One policy for checks that nobody can decide; `local` charges `buckets`, or some of its own.

    ValueError for a policy that there isn't.
    """

    def __init__(self, policy: str, buckets: BucketTable | None = None) -> None:
        self.change(policy)
        self._mine = buckets is None  # then nobody else sweeps them
        self._buckets = BucketTable(MAX_MEMORY) if buckets is None else buckets

    def set_wall(self, wall: int) -> None:
        """Have quotas go by a clock on the wall: `wall` is added to `now` for ns since 1970."""
        self._buckets.windows.set(wall)

    def change(self, policy: str) -> None:
        """Answer by another policy from now on."""
        self.policy = require_on_unreachable(policy)
        self.source = Source(self.policy.value)

    def parts(self, nodes: int) -> int:
        """Return by how much a limit is divided when `nodes` nodes decide alone."""
        return nodes if self.policy is OnUnreachable.LOCAL else 1

    def answer(self, key: str, limits: Limits, cost: int, nodes: int, now: int) -> list[int]:
        """Answer a check as one of `nodes` nodes that decide alone. `now` is in nanoseconds.

        The debts are those of the divided limits. A cost above this node's share of the burst is
        charged as the whole share.
        """
        match self.policy:
            case OnUnreachable.OPEN:
                return [1]
            case OnUnreachable.CLOSED:
                return [0]
            case OnUnreachable.LOCAL:
                allowed, debts = self._take(key, limits.divided(nodes), cost, now)
                return [int(allowed), *debts]

    def decide(self, key: str, limits: Limits, cost: int, nodes: int, now: int) -> Decision:
        """Decide a check like `answer`; the decision shows the limits that were really applied."""
        if self.policy is OnUnreachable.LOCAL:
            return self.share(key, limits, cost, nodes, now)
        answer = self.answer(key, limits, cost, nodes, now)
        return Decision(answer[0] == 1, limits, cost, [], self.source)

    def share(self, key: str, limits: Limits, cost: int, nodes: int, now: int) -> Decision:
        """Decide by this process's share, whatever the policy: the trouble is its own.

        It is for a check that waited in vain for a line, the CPU or the event loop: no fault of
        the sidecar, so nothing that may let everyone through.
        """
        limits = limits.divided(nodes)
        allowed, debts = self._take(key, limits, cost, now)
        cost = min(cost, limits.smallest_burst)
        return Decision(allowed, limits, cost, debts, Source.LOCAL)

    def _take(self, key: str, share: Limits, cost: int, now: int) -> tuple[bool, list[int]]:
        if self._mine:
            self._buckets.sweep(now, SWEPT)
        cost = min(cost, share.smallest_burst)
        return self._buckets.take(key, share, cost, now)
