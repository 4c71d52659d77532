"""An event of the feed, as its readers get it. Times are in seconds, points in time Unix's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.link.health import LinkState


class NodesHeard(Struct, frozen=True):
    """Of how many nodes there are how many have answered, and which haven't."""

    answered: int
    of: int
    missing: Sequence[str]


class NodeSeen(Struct, frozen=True):
    """One node, as the one that answers sees it."""

    name: str
    owner: bool  # is it on the ring?
    share: float  # of all keys, 0 to 1
    stage: str  # as it says itself; "" if it wasn't asked, or didn't answer
    state: LinkState  # what our link to it is good for
    life: str  # "alive", or "suspect" while it is silent
    age: float | None  # since it claimed its name; None while it claims nothing
    refusal: str  # why the last dial failed
    handed: int = 0  # buckets that it has handed over, since it started
    me: bool = False
    rules: str | None = None  # digest of those it has in force, "" for no file; None: unknown


class RingSeen(Struct, frozen=True):
    """The ring, as the node that answers sees it."""

    digest: str
    agrees: bool  # do all nodes hold the same?
    nodes: Sequence[NodeSeen]
    rules_versions: int = 1  # how many different rules they have in force


class Rates(Struct, frozen=True):
    """What was decided, a second."""

    allowed: float
    denied: float
    shadowed: float
    errors: float
    cost: float


class KeySeen(Struct, frozen=True):
    """A key that was denied. The true counts are at most this, and less by no more than its error.

    `node` is its owner, or whoever decided for it.
    """

    key: str
    rule: str
    node: str
    asked: int
    asked_error: int
    denied: int
    denied_error: int


class SourceSeen(Struct, frozen=True):
    """How many checks were decided by one source."""

    source: str
    allowed: int
    denied: int
    shadowed: int
    errors: int
    cost: int


class RuleSeen(Struct, frozen=True):
    """A rule's line: when each step began, and what was allowed and denied in it."""

    rule: str
    allowed: float  # a second, now
    denied: float
    points: Sequence[tuple[float, int, int]]


class Event(Struct, frozen=True):
    """All that the page shows, but for a key's buckets. Without `rates` nobody counts."""

    time: float
    name: str  # of the node that answers
    version: str
    nodes: NodesHeard
    ring: RingSeen = RingSeen("", agrees=False, nodes=())
    rates: Rates | None = None  # over the last ten seconds
    error: int = 0  # no count of a key is further off
    keys: str = "plain"  # or how they are shown instead: "masked", "hashed"
    since: float = 0.0  # when the minute began from which keys are counted
    denied: Sequence[KeySeen] = ()  # since then, the most denied first
    sources: Sequence[SourceSeen] = ()  # in the last minute
    step: int = 10  # seconds between two points
    rules: Sequence[RuleSeen] = ()  # over ten minutes
    more_rules: int = 0  # that are not shown
