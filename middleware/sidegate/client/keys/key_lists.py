"""Key lists: what a client tells of many keys at once. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from sidegate.buckets.limits import parse_limits
from sidegate.client.answers import spent
from sidegate.protocol.codec import WireError

if TYPE_CHECKING:
    from sidegate.protocol.key_messages import KeysListed, KeysReset


class ListedKey(Struct, frozen=True):
    """A key that has spent something: which, the node that owns it, and what, as `peek` says it."""

    key: str
    node: str
    spent: dict[str, int]


class KeyList(Struct, frozen=True):
    """The first keys in debt, each as the node that owns it has told.

    `more` if there are more of them. Of the nodes on the ring those that are `missing` haven't
    answered, so what they own isn't there; those that are `unfinished` answered before they had
    looked at all their buckets, since time was up.
    """

    keys: list[ListedKey]
    more: bool
    answered: list[str]
    missing: list[str]
    unfinished: list[str]


class KeysForgotten(Struct, frozen=True):
    """How many buckets in debt each node has made full, of those that it owns.

    Nodes that are `missing` haven't said so; they are told as soon as they can be reached.
    """

    by_node: dict[str, int]
    missing: list[str]

    @property
    def total(self) -> int:
        """How many on all nodes that have answered."""
        return sum(self.by_node.values())


def key_list(listed: KeysListed) -> KeyList:
    """Return what a sidecar has answered; WireError if it makes no sense."""
    nodes = listed.nodes
    if any(place >= len(nodes) for _, place, _ in listed.rows):
        raise WireError("bad-message", f"a key of a node that isn't one of {len(nodes)}")
    keys = [
        ListedKey(key, nodes[place], spent((parse_limits(it).items[0], debt) for it, debt in held))
        for key, place, held in listed.rows
    ]
    return KeyList(keys, listed.more == 1, nodes, listed.missing, listed.unfinished)


def keys_forgotten(reset: KeysReset) -> KeysForgotten:
    """Return what a sidecar has answered."""
    return KeysForgotten(dict(reset.forgotten), reset.missing)
