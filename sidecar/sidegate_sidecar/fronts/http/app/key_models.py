"""What goes over the HTTP API about many keys at once."""

from collections.abc import Generator
from enum import Enum
from typing import Annotated, TypeVar

from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field

from sidegate.buckets.limits import parse_limits
from sidegate.protocol.key_messages import (
    MAX_LISTED,
    KeyOrder,
    KeysBy,
    KeysListed,
    KeysReset,
    ListKeys,
)
from sidegate_sidecar.fronts.http.app.models import Bucket, fitting
from sidegate_sidecar.links.keys.all_keys import LIST_WITHIN

Choice = TypeVar("Choice", bound=Enum)

_DEFAULT_MAX = 50
_YES = {"true": True, "1": True, "false": False, "0": False}


def _order(text: str) -> str:
    words = [order.value for order in KeyOrder]
    if text not in words:
        raise ValueError(f"order {text[:80]!r}: expected {' or '.join(words)}")
    return text


def _max(text: str) -> str:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_LISTED):
        raise ValueError(f"max {text[:80]!r}: expected a whole number from 1 to {MAX_LISTED:,}")
    return text


def _all(text: str) -> str:
    if text not in _YES:
        raise ValueError(f"all {text[:80]!r}: expected true or false")
    return text


PrefixInQuery = Annotated[
    str,
    AfterValidator(fitting),
    Query(description="How the keys begin; empty for all.", examples=["login:"]),
]
IdentityInQuery = Annotated[
    str | None,
    AfterValidator(lambda text: text if text is None else fitting(text)),
    Query(
        description="In place of a prefix: what comes after the first `:` of the keys, so those of"
        " one client over all rules.",
        examples=["192.0.2.1"],
    ),
]
OrderInQuery = Annotated[
    str,
    AfterValidator(_order),
    Query(description="`debt`: what takes longest to be full again comes first; or by `key`."),
]
MaxInQuery = Annotated[
    str, AfterValidator(_max), Query(description=f"How many keys, 1 to {MAX_LISTED:,}.")
]
AllInQuery = Annotated[
    str, AfterValidator(_all), Query(description="`true` where the prefix is empty: every key.")
]


def is_yes(text: str) -> bool:
    """Return what a parameter that was validated says."""
    return _YES[text]


def question(prefix: str, identity: str | None, order: str, most: str) -> ListKeys:
    """Return what is asked; ValueError for a prefix and an identity."""
    if identity is not None and prefix:
        raise ValueError(f"identity {identity[:80]!r}: expected no prefix beside it")
    by, text = (KeysBy.PREFIX, prefix) if identity is None else (KeysBy.IDENTITY, identity)
    return ListKeys(0, 0, int(LIST_WITHIN * 1e6), by, text, KeyOrder(order), int(most))


class NodesAsked(BaseModel):
    """Which nodes an answer is from."""

    answered: int = Field(description="How many nodes of the ring have answered.", examples=[2])
    of: int = Field(description="How many there are.", examples=[3])
    missing: list[str] = Field(
        description="Names of those that haven't: what they own isn't in it.", examples=[["node-c"]]
    )


class NodesAskedForKeys(NodesAsked):
    """Which nodes a list of keys is from."""

    unfinished: list[str] = Field(
        description="Names of those that had not looked at all of their buckets when time was up."
    )


class KeyFound(BaseModel):
    """One key in debt."""

    key: str = Field(description="Who is limited.", examples=["login:192.0.2.1"])
    owner: str = Field(description="Name of the node that owns it, and told.", examples=["node-a"])
    buckets: list[Bucket] = Field(description="Those that aren't full, up to 32.")


class KeysFound(BaseModel):
    """The first keys in debt of those that were asked for, each from the node that owns it."""

    prefix: str | None = Field(description="How they begin; null where an identity was asked for.")
    identity: str | None = Field(description="What comes after their first `:`, if asked for.")
    order: str = Field(description="Which come first.", examples=["debt"])
    keys: list[KeyFound] = Field(description="The first ones.")
    more: bool = Field(description="Whether there are more than these.")
    nodes: NodesAskedForKeys = Field(description="Who has answered within 250 ms.")

    @classmethod
    def of(cls, asked: ListKeys, listed: KeysListed) -> Generator[None, None, "KeysFound"]:
        """Make what all nodes have answered, in slices: 1,000 keys take 4 ms."""
        keys: list[KeyFound] = []
        for key, place, held in listed.rows:
            buckets = [Bucket.of(parse_limits(text).items[0], debt) for text, debt in held]
            keys.append(KeyFound(key=key, owner=listed.nodes[place], buckets=buckets))
            yield
        is_identity = asked.by is KeysBy.IDENTITY
        return cls(
            prefix=None if is_identity else asked.text,
            identity=asked.text if is_identity else None,
            order=asked.order.value,
            keys=keys,
            more=bool(listed.more),
            nodes=NodesAskedForKeys(
                answered=len(listed.nodes),
                of=len(listed.nodes) + len(listed.missing),
                missing=listed.missing,
                unfinished=listed.unfinished,
            ),
        )


class FilledOnNode(BaseModel):
    """What one node has forgotten."""

    node: str = Field(description="Its name.", examples=["node-a"])
    buckets: int = Field(description="How many buckets in debt it owned.", examples=[17])


class KeysFilled(BaseModel):
    """How many buckets were forgotten, so that they are full now."""

    prefix: str = Field(description="How their keys begin.", examples=["login:"])
    forgotten: int = Field(description="How many on all nodes that have answered.", examples=[17])
    by_node: list[FilledOnNode] = Field(description="How many of these on each.")
    nodes: NodesAsked = Field(
        description="Who has answered within 10 s. Those that are missing are told as soon as they"
        " can be reached."
    )

    @classmethod
    def of(cls, prefix: str, reset: KeysReset) -> "KeysFilled":
        """Return what all nodes have answered."""
        return cls(
            prefix=prefix,
            forgotten=sum(count for _, count in reset.forgotten),
            by_node=[FilledOnNode(node=name, buckets=it) for name, it in reset.forgotten],
            nodes=NodesAsked(
                answered=len(reset.forgotten),
                of=len(reset.forgotten) + len(reset.missing),
                missing=reset.missing,
            ),
        )
