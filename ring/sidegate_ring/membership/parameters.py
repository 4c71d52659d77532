"""Timing: how often nodes are probed and how long they stay suspects. Formulas, no state."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil, log, log2, log10

LEAST_EXCHANGES = 8  # a cluster of so many is well known for no more than a packet each


@dataclass(frozen=True, slots=True)
class Timing:
    """The rhythm of a cluster; times are in seconds. The same on all its nodes.

    ValueError for one that isn't positive.
    """

    probe_every: float = 0.5  # one node, in turn
    probe_within: float = 0.15  # of a ping: then others are asked
    indirect_probes: int = 3  # others that are asked
    suspicion: float = 4.0  # times probe_every, and more in a large cluster: the least time
    suspicion_most: float = 2.0  # times the least: how long a suspicion lasts that nobody confirms
    news_every: float = 0.1  # rumors are sent to a few, while there are any
    fanout: int = 3  # that few
    retransmit: int = 4  # times the digits of the number of nodes: how often a rumor is sent
    exchange_every: float = 30.0  # everything, with one other node
    agree_every: float = 1.0  # at the most, the same with one whose ring differs
    reconnect_every: float = 1.0  # to one dead node: a split may have healed
    tombstone: float = 600.0  # how long the dead and those who left are remembered
    rumors: int = 24  # in a message, but for those that carry everything
    health: int = 7  # the worst score: probes take 8 times as long

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                value = getattr(self, field.name)
                raise ValueError(f"{field.name}={value!r}: expected a number above 0")


def slowed(seconds: float, health: int) -> float:
    """Return how long something takes a node of this health score; 0 is well."""
    return seconds * (1 + health)


def least_suspicion(timing: Timing, nodes: int) -> float:
    """Return how long a suspect has to refute, in seconds, however many confirm the suspicion.

    It grows with the logarithm of the cluster, as the way of a rumor through it does.
    """
    return timing.suspicion * timing.probe_every * max(1.0, log10(max(nodes, 1)))


def confirmations_wanted(timing: Timing, nodes: int) -> int:
    """Return how many others must confirm a suspicion for it to last the least time.

    `nodes` counts this node and the suspect, who don't confirm.
    """
    return max(min(timing.indirect_probes, nodes - 2), 0)


def suspicion_lasts(least: float, most: float, confirmed: int, wanted: int) -> float:
    """Return how long a suspicion lasts, in seconds: from `most` down to `least`.

    Each confirmation takes away less than the one before it. Where none is wanted since there is
    nobody to give it, `least`.
    """
    if wanted < 1:
        return least
    part = log(min(confirmed, wanted) + 1) / log(wanted + 1)
    return max(least, most - (most - least) * part)


def exchanges_wanted(nodes: int) -> int:
    """Return with how many a node exchanges everything when it is linked to that many others.

    What all of these know is all there is, but for what goes round as rumors; with each of 200
    that start at a time it would be 40,000 lists of 200.
    """
    return max(LEAST_EXCHANGES, 2 + ceil(log2(nodes + 1)))


def transmissions(timing: Timing, nodes: int) -> int:
    """Return how often each node sends a rumor on in a cluster of that many nodes."""
    return timing.retransmit * ceil(log10(nodes + 1))
