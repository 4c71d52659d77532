"""Messages: what apps and sidecars, and sidecars among themselves, say to each other. Pure.

A message is a MessagePack array whose first element says what kind of message it is (`codec.py`
makes bytes of it). The same messages serve the hop from an app to its sidecar and the hop from
one sidecar to another. docs/internals/protocol.md describes them for who writes a client in another
language; tests/middleware/protocol/test_messages.py holds the bytes.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, TypeAlias, get_args

from msgspec import Meta, Struct

from sidegate.errors import KeyTooLong
from sidegate.protocol.cache_messages import CacheMessage
from sidegate.protocol.holds.lease_messages import Borrow, Lent, Returned
from sidegate.protocol.holds.reservation_messages import Commit, ReservationRows, Reserve, Reserved
from sidegate.protocol.holds.slot_messages import SlotMessage
from sidegate.protocol.key_messages import KeysListed, KeysReset, ListKeys, ResetKeys
from sidegate.protocol.outcome_messages import Outcomes
from sidegate.protocol.report_messages import (
    EventQuery,
    Events,
    ReportAnswer,
    ReportPart,
    ReportQuery,
)
from sidegate.protocol.standing_messages import RulesMessage, Standing, StandingQuery, Voters

VERSION = 1
MAX_KEY_BYTES = 512  # a key is an identity, not a document; longer ones should be hashed
SURELY_SHORT_KEY = MAX_KEY_BYTES // 4  # characters: up to it, no key needs to be encoded to know
MAX_CHECKS = 4_096  # in one frame: what one turn of a busy loop makes, and under 5 ms of work
NOBODY = "nobody"  # source of what isn't answered: whoever forwarded it is to ask another node
MAX_REFUNDS = 512  # in one frame: they fit, with the longest keys and limits there are
MAX_TRACES = 64  # in a frame: a span takes a sidecar some 30 µs, and these 2 ms of one turn
TRACEPARENT = 55  # characters of one
MAX_DIGEST = 64  # characters of a digest of rules; ours has 12
MAX_HOPS = 2  # a forwarded check may be forwarded once more, when the ring has just changed

Check: TypeAlias = tuple[str, str, int]
"""(key, limits, cost): one question. `limits` is a text that `sidegate.buckets.limits` parses."""

Answer: TypeAlias = (
    Annotated[list[int], Meta(min_length=1, max_length=25)] | Annotated[str, Meta(min_length=1)]
)
"""[allowed (1 or 0), debt of each limit in ns, …] or the reason why the check can't be decided.

Behind the debts are two numbers for each window: the ns that it lasts from now on, and its number.
There are no debts where they are not known (sources `open` and `closed`)."""

Hops: TypeAlias = Annotated[int, Meta(ge=0)]
"""How often a question was forwarded: 0 from an app. Below 0 it could go round for ever."""

Ids: TypeAlias = tuple[int, list[int] | None]
"""(serial, places) of checks in a frame, by which several nodes know them; see Checks."""

Trace: TypeAlias = tuple[
    Annotated[int, Meta(ge=0)], Annotated[str, Meta(min_length=TRACEPARENT, max_length=TRACEPARENT)]
]
"""(position, traceparent): the span that asks a check of a frame, as W3C's Trace Context has it."""

Member: TypeAlias = tuple[str, str]
"""(name, address) of a node that is alive; the address is "HOST:PORT"."""

Held: TypeAlias = tuple[str, int]
"""(limit, debt in ns): one bucket of a key."""

Rumor: TypeAlias = tuple[str, str, int, int, int, str, int]
"""(name, address, incarnation, state, owner, by, claim): what is said of one node; see Gossip."""

Debt: TypeAlias = Annotated[int, Meta(ge=0)]

Group: TypeAlias = tuple[str, list[str], list[Debt]]
"""(limit, keys, debts in ns), a debt for each key; after a quota's "@" its window's number."""

Charge: TypeAlias = tuple[int, int, Annotated[int, Meta(ge=0)]]
"""(serial, place, tokens charged): a forwarded check that was decided; denied, it cost nothing."""

StoodIn: TypeAlias = tuple[str, str, list[Debt], list[Charge]]
"""(key, limits, debts in ns, charges): checks decided in place of the key's owner.

The debts are those of the sender, one for each limit: more than that isn't owed any more."""

KeyReset: TypeAlias = tuple[int, str, Debt]
"""(number, key, ns): a reset, and for how long it is to be remembered."""

Account: TypeAlias = tuple[str, str, Annotated[int, Meta(ge=0)], Debt]
"""(limit, key, tokens that counted twice, debt in ns): a bucket as its owner has settled it."""


class Hello(Struct, array_like=True, frozen=True, tag=0):
    """The first message of each side. `version` stays in this place in every version."""

    version: int
    role: str  # "app" asks, "node" also answers and is on the ring
    name: str
    cluster: str
    nonce: bytes  # 32 random bytes, fresh for each connection
    link: str  # where this node listens for other nodes, "HOST:PORT"; empty for an app
    dialled: str = ""  # from the dialling side: the address that it dialled, as it knows it
    ring: str = ""  # fingerprint of a node's ring seed; empty without one, and for an app
    level: Annotated[int, Meta(ge=0)] = 0  # which kinds of messages it knows; see levels.py


class Proof(Struct, array_like=True, frozen=True, tag=1):
    """The dialling side proves that it knows the secret."""

    proof: bytes


class Welcome(Struct, array_like=True, frozen=True, tag=2):
    """The accepting side proves the same; from here on the link is up."""

    proof: bytes


class Checks(Struct, array_like=True, frozen=True, gc=False, tag=3):
    """Up to 4,096 checks made at the same time, to be answered within `budget` microseconds."""

    id: int
    hops: Hops
    budget: Annotated[int, Meta(ge=0)]
    checks: Annotated[list[Check], Meta(max_length=MAX_CHECKS)]
    serial: Annotated[int, Meta(ge=0)] = 0  # of a forward, the same when another node is asked
    places: list[int] | None = None  # of these checks among those first forwarded; None: in order


class TracedChecks(Checks, array_like=True, frozen=True, gc=False, tag=3):
    """Checks of which some belong to traces. Who doesn't trace reads the Checks in it."""

    traces: Annotated[list[Trace], Meta(max_length=MAX_TRACES)] | None = None


class Answers(Struct, array_like=True, frozen=True, gc=False, tag=4):
    """Answers to the checks at `positions` of frame `id`, or to all of them in their order (nil).

    One frame of checks may be answered in parts, one for each node that decided some of them.
    """

    id: int
    source: str  # a sidegate.buckets.decision.Source; between nodes also NOBODY
    node: str  # who decided; for `open` and `closed` who should have
    positions: list[int] | None
    answers: Annotated[list[Answer], Meta(max_length=MAX_CHECKS)]
    parts: Annotated[int, Meta(ge=1)] = 1  # source `local`: the limits were divided by this


class Ping(Struct, array_like=True, frozen=True, tag=5):
    """Are you there? Answered by a Pong with the same id."""

    id: int


class Pong(Struct, array_like=True, frozen=True, tag=6):
    """The answer to a Ping."""

    id: int


class Roster(Struct, array_like=True, frozen=True, tag=7):
    """The digest of the sender's ring, and all nodes that live. On change, and now and then."""

    digest: str
    members: list[Member]
    leaving: Annotated[int, Meta(ge=0, le=1)] = 0  # 1: it is about to close, look for another one


class Inspect(Struct, array_like=True, frozen=True, tag=8):
    """Which buckets does this key have? Answered by Holdings."""

    id: int
    hops: Hops
    key: str


class Reset(Struct, array_like=True, frozen=True, tag=9):
    """Forget all buckets of this key. Answered by Holdings: those forgotten."""

    id: int
    hops: Hops
    key: str


class Holdings(Struct, array_like=True, frozen=True, tag=10):
    """The buckets of one key on the node that owns it."""

    id: int
    source: str
    node: str
    buckets: list[Held]


class Gossip(Struct, array_like=True, frozen=True, tag=11):
    """Who is alive, among nodes; `sidegate_ring.membership` gives the fields their meaning."""

    kind: Annotated[int, Meta(ge=0, le=6)]
    id: int
    about: str
    digest: str
    rumors: list[Rumor]
    rules: Annotated[str, Meta(max_length=MAX_DIGEST)] | None = None  # None: it doesn't say
    roles: list[str] | None = None  # what the node of each is; None: it doesn't say
    nodes: Annotated[int, Meta(ge=0)] = 0  # that live, the sender included, as far as it knows


class Buckets(Struct, array_like=True, frozen=True, gc=False, tag=12):
    """Here are buckets, among nodes: for each, the larger of this debt and its own counts."""

    id: int
    groups: list[Group]


class Merged(Struct, array_like=True, frozen=True, tag=13):
    """The buckets, or the resets, of that id are merged."""

    id: int


class Part(IntEnum):
    """What a Pull asks for."""

    NOTHING = 0  # only for a word when all that was on its way is merged, and all noticed
    REST = 1  # what wasn't sent yet
    ALL = 2


class Pull(Struct, array_like=True, frozen=True, tag=14):
    """Send that part of what is mine, or will be; then, or if there is nothing, say Pulled."""

    id: int
    part: Part


class Error(Struct, array_like=True, frozen=True, tag=15):
    """Why the sender closes this connection: a word for programs, and a sentence for people."""

    code: str
    text: str


class Pulled(Struct, array_like=True, frozen=True, tag=16):
    """All that the Pull of that id asked for was sent, and is merged."""

    id: int


class Forget(Struct, array_like=True, frozen=True, tag=17):
    """The key was reset: forget that it was denied. Only to apps, and not answered.

    With `begins` 1 so were all keys that begin with it.
    """

    key: str
    begins: Annotated[int, Meta(ge=0, le=1)] = 0


class Confirm(Struct, array_like=True, frozen=True, tag=22):
    """Say Confirmed once all that you held of mine, by the ring of that digest, is sent and merged.

    A later one takes the place of an earlier one. `new` is 1 from a node that had nothing when it
    joined, whatever the receiver thinks that it has.
    """

    ring: str
    new: Annotated[int, Meta(ge=0, le=1)] = 0


class Confirmed(Struct, array_like=True, frozen=True, tag=23):
    """That is so.

    `lacks` is 1 from a node that may itself lack some of what it was to hold: it is new, places
    have moved or it stood still, and it hasn't been told everything since.
    """

    ring: str
    lacks: Annotated[int, Meta(ge=0, le=1)] = 0


class Resets(Struct, array_like=True, frozen=True, tag=26):
    """These keys were reset, among nodes: forget their buckets, once. Answered by Merged.

    So were all keys that begin with one of the `prefixes`, of which the sender has none left.
    """

    id: int
    resets: Annotated[list[KeyReset], Meta(max_length=MAX_CHECKS)]
    prefixes: Annotated[list[KeyReset], Meta(max_length=MAX_CHECKS)] = []


class Refund(Struct, array_like=True, frozen=True, gc=False, tag=27):
    """Give back what these checks have charged, each to all of its limits. Not answered.

    Whoever can't pass it on at once drops it, and nobody says it twice: then too little is let
    through. Said twice, it would be too much. The text of a quota ends in "@" and the number of the
    window in which it was charged: where that is over nothing is given back of it.
    """

    hops: Hops
    checks: Annotated[list[Check], Meta(max_length=MAX_REFUNDS)]


class Charged(Struct, array_like=True, frozen=True, gc=False, tag=20):
    """What was decided in place of the receiver, who owns these keys. Answered by Settled."""

    id: int
    rows: Annotated[list[StoodIn], Meta(max_length=MAX_CHECKS)]


class Settled(Struct, array_like=True, frozen=True, gc=False, tag=21):
    """The checks of that Charged are counted; of them, what counted twice is to be taken back."""

    id: int
    rows: list[Account]


class StayPromise(IntEnum):
    """What a Stay says."""

    ASKED = 0
    GIVEN = 1  # I stay on the ring until another node has promised me the same
    REFUSED = 2


class Stay(Struct, array_like=True, frozen=True, tag=24):
    """Will you stay on the ring for my buckets? I am about to leave. Answered by another one."""

    id: int
    promise: StayPromise


NodeMessage: TypeAlias = (
    Gossip
    | Buckets
    | Merged
    | Pull
    | Pulled
    | Confirm
    | Confirmed
    | Forget
    | Charged
    | Settled
    | Stay
    | Resets
    | (ReservationRows | Voters)
)
"""What only nodes say to each other, but for Forget, which only apps hear."""

NODE_MESSAGES: tuple[type[NodeMessage], ...] = get_args(NodeMessage)

UnaskedMessage: TypeAlias = NodeMessage | CacheMessage | SlotMessage
"""What a link passes on to who watches it."""

Message: TypeAlias = (
    Hello
    | (Proof | Welcome)
    | (Checks | Answers)
    | (Ping | Pong)
    | Roster
    | (Inspect | Reset | Holdings)
    | Error
    | Outcomes
    | Refund
    | ListKeys
    | KeysListed
    | ResetKeys
    | KeysReset
    | ReportQuery
    | ReportPart
    | ReportAnswer
    | Events
    | EventQuery
    | StandingQuery
    | Standing
    | RulesMessage
    | (Reserve | Commit | Reserved)
    | (Borrow | Lent | Returned)
    | UnaskedMessage
)

_Asked: TypeAlias = Inspect | Reset | ListKeys | ResetKeys | ReportQuery | StandingQuery
Inquiry: TypeAlias = _Asked | Reserve | Commit | Borrow
"""A question other than checks: each is answered by one message."""

_Told: TypeAlias = Holdings | KeysListed | KeysReset | ReportPart | ReportAnswer | Standing
InquiryAnswer: TypeAlias = _Told | Reserved | Lent


def require_key(key: str) -> None:
    """Raise KeyTooLong if the key has more than 512 bytes in UTF-8.

    UnicodeEncodeError (a ValueError) for half a surrogate pair, which has no bytes there.
    """
    length = len(key) if key.isascii() else len(key.encode())
    if length > MAX_KEY_BYTES:
        raise KeyTooLong(length, MAX_KEY_BYTES)
