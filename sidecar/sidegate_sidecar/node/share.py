"""A node's share: what it lets through of a limit when it can't ask anyone who knows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.decision import OnUnreachable

if TYPE_CHECKING:
    from sidegate.buckets.buckets import BucketTable
    from sidegate.buckets.limits import Limits
    from sidegate_sidecar.cluster.cluster import Cluster


def gives_share(cluster: Cluster, policy: OnUnreachable) -> bool:
    """Does a node decide by its share when it can't ask those who know?

    Who is on the ring knows how many they are, so its share is better than to let all through;
    who is to refuse what it can't have decided does. The smaller side of a split: by policy.
    """
    if cluster.parts == 1 or cluster.name not in cluster.ring:
        return False
    if not cluster.side.decides:
        return policy is OnUnreachable.LOCAL
    return policy is not OnUnreachable.CLOSED


def take_share(
    table: BucketTable, key: str, limits: Limits, cost: int, parts: int, now: int
) -> list[int]:
    """Answer a check as one of `parts` nodes (2 or more) that know nothing of each other.

    What it allows is charged to the whole limit too: should this node come to own the key, that
    is spent; and what the whole limit is known to have spent is spent for the share. The debts
    are those of the share. A cost above the share is charged as all of it.
    """
    share = limits.divided(parts)
    allowed, debts = table.take(key, share, min(cost, share.smallest_burst), now)
    if allowed and not table.take(key, limits, cost, now)[0]:
        spent = (limit.capacity // limit.scale for limit in share.items)
        return [0, *spent, *table.windows.told(share, now)]
    return [int(allowed), *debts]
