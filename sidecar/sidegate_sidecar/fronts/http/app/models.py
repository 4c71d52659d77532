"""What goes over the HTTP API, with the unit of every number."""

import time
from typing import Annotated
from urllib.parse import unquote

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
)

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import BY_NAME, MAX_TOKENS, Limit, Limits, parse_limits, require_cost
from sidegate.buckets.windows import WindowClock
from sidegate.errors import CostError
from sidegate.link.health import LinkState
from sidegate.protocol.messages import require_key
from sidegate.protocol.standing_messages import OnSplit
from sidegate_sidecar.cluster.cluster import Stage
from sidegate_sidecar.cluster.place.handover import Departure

_KEY = "Who is limited: any text of at most 512 bytes in UTF-8."
_OWNER = "Name of the node that owns the key by this node's ring."
_STATE = "What our link to it is good for; `up` for this node itself."
_LIMITS = "100/minute; 1000/hour"


def fitting(key: str) -> str:
    """Return a key that can be one; ValueError for any other."""
    try:
        key.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: JSON can say it
        raise ValueError("expected text that UTF-8 can carry") from None
    require_key(key)
    return key


def _decoded(quoted: str) -> str:
    try:
        return fitting(unquote(quoted, errors="strict"))
    except UnicodeDecodeError:
        raise ValueError("expected UTF-8 in percent-encoding") from None


KeyInPath = Annotated[
    str,
    AfterValidator(_decoded),
    Path(description=f"{_KEY} Percent-encoded; slashes needn't be.", examples=["customer-7"]),
]
KeyInQuery = Annotated[
    str, AfterValidator(fitting), Query(description=_KEY, examples=["customer-7"])
]
NodeInQuery = Annotated[
    str,
    Query(min_length=1, max_length=253, description="Name of a node.", examples=["node-b"]),
]
HowManyBackups = Annotated[
    int, Query(ge=0, le=16, description="How many backups to name, as far as there are nodes.")
]


def _example(**values: JsonValue) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


class CheckRequest(BaseModel):
    """One question: may this key have that many tokens?"""

    model_config = _example(key="customer-7", limits=_LIMITS, cost=1) | ConfigDict(extra="forbid")

    key: str = Field(description=_KEY)
    limits: str = Field(
        description="One to eight limits, all charged or none: `100/minute`, `10 per second`,"
        " `1000/5 hours burst 50`, joined by `;`, `,` or `|`. Or `@NAME`: the rule of that name in"
        " the sidecar's rules file, whose bucket is `NAME:KEY`."
    )
    cost: int = Field(
        1,
        strict=True,
        description="Tokens to charge, at most the smallest burst of the limits; 0 only looks. By"
        " the name of a rule so many requests, of its cost each.",
    )

    @field_validator("key")
    @classmethod
    def _key_fits(cls, key: str) -> str:
        return fitting(key)

    @field_validator("limits")
    @classmethod
    def _limits_parse(cls, limits: str) -> str:
        return limits if limits.startswith(BY_NAME) else parse_limits(limits).text

    @field_validator("cost")
    @classmethod
    def _cost_can_pass(cls, cost: int, info: ValidationInfo) -> int:
        limits: str | None = info.data.get("limits")
        if limits and not limits.startswith(BY_NAME):
            require_cost(cost, parse_limits(limits))
        elif not 0 <= cost <= MAX_TOKENS:  # these are wrong too
            raise CostError(cost, MAX_TOKENS)
        return cost


class CheckResponse(BaseModel):
    """The decision. `limit`, `remaining` and `reset_after` are those of the limit that binds."""

    model_config = _example(
        allowed=True,
        limits=_LIMITS,
        limit=100,
        remaining=99,
        retry_after=0.0,
        reset_after=0.6,
        source="owner",
        owner="node-a",
    )

    allowed: bool = Field(description="Whether the tokens were charged.")
    limits: str = Field(
        description="The limits that were applied, in canonical form; those of one node's share"
        " when `source` is `local`."
    )
    limit: int = Field(description="Tokens that the bucket of the binding limit holds.")
    remaining: int | None = Field(description="Tokens left in it; null when nobody knows.")
    retry_after: float = Field(
        description="Seconds until the same check can pass; 0 when allowed or when nobody knows."
    )
    reset_after: float | None = Field(
        description="Seconds until the bucket is full again; null when nobody knows."
    )
    source: Source = Field(
        description="Who decided: the `owner` of the key; or, since it could not be asked, its"
        " `backup`, this node by its share (`local`), or nobody (`open`: let through, `closed`:"
        " refused)."
    )
    owner: str = Field(description=_OWNER)

    @classmethod
    def of(cls, decision: Decision, owner: str) -> "CheckResponse":
        """Return what a decision says."""
        return cls(
            allowed=decision.allowed,
            limits=decision.limits.text,
            limit=decision.limit,
            remaining=decision.remaining,
            retry_after=decision.retry_after,
            reset_after=decision.reset_after,
            source=decision.source,
            owner=owner,
        )


class Bucket(BaseModel):
    """One bucket of a key that isn't full."""

    limit: str = Field(description="The limit, in canonical form.", examples=["100/minute"])
    burst: int = Field(description="Tokens that the bucket holds.", examples=[100])
    remaining: int = Field(description="Tokens left in it.", examples=[99])
    reset_after: float = Field(
        description="Seconds until it is full again: its debt, or until its window ends.",
        examples=[0.6],
    )

    @classmethod
    def of(cls, limit: Limit, debt: int) -> "Bucket":
        """Return a bucket that owes `debt` nanoseconds."""
        limits, windows = Limits([limit]), WindowClock()
        debts = (debt, *windows.told(limits, time.time_ns()))
        looked_at = Decision(True, limits, 0, debts, Source.OWNER)
        return cls(
            limit=limit.text,
            burst=limit.burst,
            remaining=looked_at.remaining_of(0),
            reset_after=looked_at.reset_of(0),
        )


class KeyHoldings(BaseModel):
    """The buckets of a key on the node that owns it. A full bucket is the same as none."""

    key: str = Field(description=_KEY, examples=["customer-7"])
    owner: str = Field(description=_OWNER, examples=["node-a"])
    buckets: list[Bucket] = Field(description="Those that aren't full; none is no error.")


class Forgotten(BaseModel):
    """The buckets of a key that its owner forgot, so that they are full now."""

    key: str = Field(description=_KEY, examples=["customer-7"])
    owner: str = Field(description=_OWNER, examples=["node-a"])
    forgotten: list[Bucket] = Field(description="As they were.")


class Ownership(BaseModel):
    """Which nodes a key belongs to."""

    model_config = _example(key="customer-7", owner="node-a", backups=["node-c"], state="up")

    key: str = Field(description=_KEY)
    owner: str = Field(description=_OWNER)
    backups: list[str] = Field(description="The next nodes on the ring, in order.")
    state: LinkState = Field(description=f"Of the owner: {_STATE}")


class RingNode(BaseModel):
    """One node that is alive, or at least not known to be dead."""

    model_config = _example(
        name="node-b",
        address="10.0.0.2:7171",
        state="up",
        life="alive",
        incarnation=1795500000,
        owner=True,
        zone="eu-1a",
        share=0.334,
        ring="6f8a2c7d9e01b345",
        rules="49c28c89d766",
        refusal="",
    )

    name: str = Field(description="Its name on the ring.")
    address: str = Field(description="Where it listens for other nodes.")
    state: LinkState = Field(description=_STATE)
    life: str = Field(
        description="What the nodes take it for: `alive`, or `suspect` while it is silent."
    )
    incarnation: int = Field(description="Rises each time the node says something new of itself.")
    owner: bool = Field(description="Whether it is on the ring.")
    zone: str = Field(description="Where it runs; empty if it doesn't say, as a leaf doesn't.")
    share: float = Field(description="The part of all keys that it owns, 0 to 1.")
    ring: str = Field(description="Digest of the ring as it last told; empty while unknown.")
    rules: str | None = Field(
        description="Digest of the rules that it has in force; empty without a rules file, null"
        " while it hasn't told, as a node of an older release doesn't."
    )
    refusal: str = Field(description="Why the last dial failed; empty if it didn't.")


class Stranger(BaseModel):
    """An address from which no node has answered yet, such as that of a seed."""

    model_config = _example(
        address="10.0.0.9:7171", state="down", refusal="the two sides don't have the same secret"
    )

    address: str = Field(description="What was dialled.")
    state: LinkState = Field(description="`connecting` before the first dial is over.")
    refusal: str = Field(description="Why the last dial failed; empty while it isn't over.")


class Handovers(BaseModel):
    """How often buckets were handed over in one way, and how long it took."""

    count: int = Field(description="How often.", examples=[1])
    seconds: float = Field(description="How long all of them took together.", examples=[0.02])
    overdue: int = Field(description="How many were ended by their deadline.", examples=[0])


class Syncing(BaseModel):
    """How buckets get to the nodes that should hold them."""

    lag: float = Field(
        description="Seconds since the oldest change that isn't merged by its backup yet."
    )
    sent: int = Field(description="Buckets sent to other nodes.")
    merged: int = Field(description="Buckets merged from other nodes.")
    resent: int = Field(description="Buckets sent again, since no answer came.")
    over_admitted: float = Field(
        description="Tokens admitted beyond a limit, at most, as merges of what an owner and"
        " whoever stood in for it had charged have shown. What the sides of a split admit while"
        " each takes the other for dead isn't in it."
    )
    joins: Handovers = Field(description="This node was sent what it was to own.")
    leaves: Handovers = Field(description="This node left the ring.")
    returns: Handovers = Field(
        description="This node stood still and was told what others decided for it."
    )


class SplitSide(BaseModel):
    """What the node that answers does in a split, and on which side of one it is."""

    model_config = _example(on_split="quorum", share=1.0, counted=3, lost=[])

    on_split: OnSplit = Field(description="Its --on-split.")
    share: float = Field(
        description="The share of each limit that its side serves: 1 unless it misses nodes, 0"
        " where it is the smaller side, which goes by --on-unreachable."
    )
    counted: int = Field(
        description="How many nodes it counts by: those on the ring, as all had agreed before any"
        " was lost; 0 where --on-split is optimistic."
    )
    lost: list[str] = Field(
        description="Nodes that count, and that it doesn't reach: dead, or on another side. None"
        " where --on-split is optimistic."
    )


class Nodes(BaseModel):
    """The node that answers, and the cluster as it sees it."""

    name: str = Field(description="Its name on the ring.")
    version: str = Field(description="The version of sidegate.")
    link: str = Field(description="Where it listens for apps and nodes.")
    http: str = Field(description="Where it serves this API.")
    ring: str = Field(description="Digest of its ring; equal digests are equal rings.")
    agrees: bool = Field(description="Whether all nodes that it hears from hold the same ring.")
    rules: str = Field(
        description="Digest of the rules in force; empty without a rules file. Equal digests are"
        " equal rules."
    )
    rules_versions: int = Field(
        description="How many different rules the nodes have in force, no rules file being one; of"
        " the nodes that have told."
    )
    keys: int = Field(description="Buckets held: one for each key and limit in debt.")
    keys_owned: int = Field(
        description="How many of them it owns; an estimate when there are more than 1,000."
    )
    keys_backed_up: int = Field(description="How many are copies of what another node owns.")
    stage: Stage = Field(
        description="Its place: `joining` until it was sent what it will own, `settling`,"
        " `member` of the ring, `returning` after a standstill, `flushing` and `leaving`, or"
        " `leaf`, which only forwards."
    )
    ready: bool = Field(description="Whether it has joined.")
    split: SplitSide = Field(description="On which side of a split it is.")
    nodes: list[RingNode] = Field(description="All nodes by name, this one included.")
    strangers: list[Stranger] = Field(description="Addresses that aren't known to be nodes.")
    sync: Syncing = Field(description="How buckets get to where they should be.")


class Departed(BaseModel):
    """How the node that answers left the ring. It goes on forwarding checks, or deciding them."""

    model_config = _example(
        name="node-a", left=True, handed_over=1_234, not_taken=0, seconds=0.21, why=""
    )

    name: str = Field(description="Its name on the ring.")
    left: bool = Field(
        description="Whether it is off the ring, and all of its buckets are with other nodes."
    )
    handed_over: int = Field(description="Buckets that it owned and other nodes have merged.")
    not_taken: int = Field(description="Buckets that it owned and no other node has merged.")
    seconds: float = Field(description="How long it took.")
    why: str = Field(
        description="Why it has not left; empty if it has. The last owner stays on the ring, and"
        " goes on deciding."
    )

    @classmethod
    def of(cls, departure: Departure) -> "Departed":
        """Return what became of a node."""
        return cls(
            name=departure.name,
            left=departure.left,
            handed_over=departure.handed_over,
            not_taken=departure.not_taken,
            seconds=departure.seconds,
            why=departure.why,
        )


class HealthStatus(BaseModel):
    """A word for whoever probes."""

    status: str = Field(description="`ok`, or `ready`.", examples=["ok"])
