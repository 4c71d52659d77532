"""Events of the feed, made up: for what a real cluster shows only now and then."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from sidegate.link.health import LinkState
from sidegate_sidecar.fronts.http.live.event import (
    Event,
    KeySeen,
    NodeSeen,
    NodesHeard,
    Rates,
    RingSeen,
    RuleSeen,
    SourceSeen,
)

NOW = 1_795_600_020.0  # a minute begins
STEPS = 60


def event(*names: str, missing: Sequence[str] = (), **more: Any) -> Event:
    """Return an event of these nodes, the first of which answers; at rest if no more is said."""
    nodes = [node(name, 1 / len(names), me=name == names[0]) for name in names]
    given: dict[str, Any] = {
        "nodes": NodesHeard(len(names) - len(missing), len(names), missing),
        "ring": RingSeen("6f8a2c7d9e01b345", agrees=True, nodes=nodes),
        "rates": Rates(120.0, 0.0, 0.0, 0.0, 120.0),
        "sources": [SourceSeen("owner", 7_200, 0, 0, 0, 7_200)],
        "rules": [line("api")],
    }
    return Event(NOW, names[0], "0.9.0", since=NOW - 90, **(given | more))


def node(name: str, share: float, **more: Any) -> NodeSeen:
    """Return a member of the ring, if nothing else is said of it."""
    known: dict[str, Any] = {"owner": True, "stage": "member", "state": LinkState.UP}
    given: dict[str, Any] = {"life": "alive", "age": 19_080.0, "refusal": ""}
    return NodeSeen(name=name, share=share, **(known | given | more))


def denied(key: str, owner: str, count: int, error: int = 0) -> KeySeen:
    """Return a key that was asked for twice as often as it was denied."""
    return KeySeen(key, key.partition(":")[0], owner, 2 * count, error, count, error)


def line(rule: str, allowed: int = 1_200, refused: int = 0) -> RuleSeen:
    """Return a rule with the same in each step."""
    points = [(NOW - 10 * (STEPS - at), allowed, refused) for at in range(STEPS)]
    return RuleSeen(rule, allowed / 10, refused / 10, points)


class Told:
    """What a feed tells: the same event until there is another one."""

    def __init__(self, now: Event) -> None:
        self.now = now

    @property
    def look(self) -> Callable[[], Awaitable[bytes]]:
        """What the feed of a node may be replaced by."""

        async def look() -> bytes:
            return msgspec.json.encode(self.now)

        return look
