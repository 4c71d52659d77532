"""The wire protocol: messages, and their bytes. Pure: bytes in, messages out.

A frame is a length (4 bytes, big endian) and a MessagePack array whose first element says what
kind of message it is. The same messages serve the hop from an app to its sidecar and the hop from
one sidecar to another. docs/internals/protocol.md describes them for who writes a client in another
language; tests/middleware/protocol/test_messages.py holds the bytes.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct as ByteLayout
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeAlias

import msgspec
from msgspec import Meta, Struct

from sidegate.errors import KeyTooLong, SidegateError, quoted
from sidegate.protocol.seal import TAG_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.protocol.seal import Seal

VERSION = 1
MAX_FRAME_BYTES = 1 << 20  # 4,096 checks with keys of 200 bytes; more is a mistake or an attack
MAX_HELLO_BYTES = 1 << 12  # before the handshake is done: two names and a few numbers
MAX_KEY_BYTES = 512  # a key is an identity, not a document; longer ones should be hashed
SURELY_SHORT_KEY = MAX_KEY_BYTES // 4  # characters: up to it, no key needs to be encoded to know
MAX_CHECKS = 4_096  # in one frame: what one turn of a busy loop makes, and under 5 ms of work
NOBODY = "nobody"  # source of what isn't answered: whoever forwarded it is to ask another node
MAX_HOPS = 2  # a forwarded check may be forwarded once more, when the ring has just changed

_LENGTH = ByteLayout(">I")
HEADER_BYTES = _LENGTH.size

Bytes: TypeAlias = bytes | memoryview

Check: TypeAlias = tuple[str, str, int]
"""(key, limits, cost): one question. `limits` is a text that `sidegate.buckets.limits` parses."""

Answer: TypeAlias = (
    Annotated[list[int], Meta(min_length=1, max_length=9)] | Annotated[str, Meta(min_length=1)]
)
"""[allowed (1 or 0), debt of each limit in ns, …] or the reason why the check can't be decided.

There are no debts where they are not known (sources `open` and `closed`)."""

Hops: TypeAlias = Annotated[int, Meta(ge=0)]
"""How often a question was forwarded: 0 from an app. Below 0 it could go round for ever."""

Ids: TypeAlias = tuple[int, list[int] | None]
"""(serial, places) of checks in a frame, by which several nodes know them; see Checks."""

Member: TypeAlias = tuple[str, str]
"""(name, address) of a node that is alive; the address is "HOST:PORT"."""

Held: TypeAlias = tuple[str, int]
"""(limit, debt in ns): one bucket of a key."""

Rumor: TypeAlias = tuple[str, str, int, int, int, str, int]
"""(name, address, incarnation, state, owner, by, claim): what is said of one node; see Gossip."""

Debt: TypeAlias = Annotated[int, Meta(ge=0)]

Group: TypeAlias = tuple[str, list[str], list[Debt]]
"""(limit, keys, debts in ns): buckets of one limit, a debt for each key."""

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
    """The key was reset: forget that it was denied. Only to apps, and not answered."""

    key: str


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
    """These keys were reset, among nodes: forget their buckets, once. Answered by Merged."""

    id: int
    resets: Annotated[list[KeyReset], Meta(max_length=MAX_CHECKS)]


class Outcomes(Struct, array_like=True, frozen=True, tag=18):
    """What an app has decided without a sidecar since it last said so. Not answered.

    Each outcome is one of OUTCOMES, with how often it came. At most once a second.
    """

    counts: Annotated[list[tuple[str, Annotated[int, Meta(ge=0)]]], Meta(max_length=16)]


class Charged(Struct, array_like=True, frozen=True, gc=False, tag=20):
    """What was decided in place of the receiver, who owns these keys. Answered by Settled."""

    id: int
    rows: Annotated[list[StoodIn], Meta(max_length=MAX_CHECKS)]


class Settled(Struct, array_like=True, frozen=True, gc=False, tag=21):
    """The checks of that Charged are counted; of them, what counted twice is to be taken back."""

    id: int
    rows: list[Account]


class Promise(IntEnum):
    """What a Stay says."""

    ASKED = 0
    GIVEN = 1  # I stay on the ring until another node has promised me the same
    REFUSED = 2


class Stay(Struct, array_like=True, frozen=True, tag=24):
    """Will you stay on the ring for my buckets? I am about to leave. Answered by another one."""

    id: int
    promise: Promise


OUTCOMES = ("open", "closed", "local", "key-error")
"""Decided by `on_unreachable` or by the process's share; or the rule's key function failed."""

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
)
"""What only nodes say to each other, but for Forget, which only apps hear."""

NODE_MESSAGES = (
    Gossip,
    Buckets,
    Merged,
    Pull,
    Pulled,
    Confirm,
    Confirmed,
    Forget,
    Charged,
    Settled,
    Stay,
    Resets,
)

Message: TypeAlias = (
    Hello
    | Proof
    | Welcome
    | Checks
    | Answers
    | Ping
    | Pong
    | Roster
    | Inspect
    | Reset
    | Holdings
    | Error
    | Outcomes
    | NodeMessage
)


class WireError(SidegateError):
    """The other side sent what it may not: `code` for programs, `text` for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text

    def __str__(self) -> str:
        return f"{self.text} ({self.code})"


class Refused(WireError):  # noqa: N818  # named for what happened
    """The other side said an Error, and closes the connection.

    Its words end up in logs, so of what doesn't print they have only the escapes.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(_on_a_line(code), _on_a_line(text))


def _on_a_line(text: str) -> str:
    return text[:500] if text.isprintable() else quoted(text, 500)[1:-1]


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """Return the frame for a message. Whoever sends long lists minds MAX_FRAME_BYTES."""
    body = _encoder.encode(message)
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def decode(body: Bytes) -> Message:
    """Return the message in the body of a frame. WireError if there is none."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise WireError("bad-message", f"not a message of version {VERSION}: {error}") from None


def version_of(body: Bytes) -> int | None:
    """Return the version if this is a Hello of whichever version, else None."""
    try:
        values = msgspec.msgpack.decode(body, type=list[object])
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if len(values) < 2 or values[0] != 0 or not isinstance(values[1], int):
        return None
    return values[1]


def refuse(message: Message) -> NoReturn:
    """Raise what a message means that has no place here: Refused for an Error, or a WireError."""
    if isinstance(message, Error):
        raise Refused(message.code, message.text)
    name = type(message).__name__.lower()
    raise WireError("bad-message", f"a {name} has no place here")


def require_key(key: str) -> None:
    """Raise KeyTooLong if the key has more than 512 bytes in UTF-8.

    UnicodeEncodeError (a ValueError) for half a surrogate pair, which has no bytes there.
    """
    length = len(key) if key.isascii() else len(key.encode())
    if length > MAX_KEY_BYTES:
        raise KeyTooLong(length, MAX_KEY_BYTES)


class Framer:
    """Cuts a stream of bytes into the bodies of frames; holds at most one unfinished frame.

    `most` bytes in a body: whoever accepts connections allows less until a handshake is done.
    While `shakes`, it gives out one frame at a time, since a handshake that is done with it may
    have the next one sealed; `feed(b"")` goes on.
    """

    __slots__ = ("_around", "_need", "_seal", "most", "rest", "shakes")

    def __init__(self, most: int = MAX_FRAME_BYTES, *, shakes: bool = False) -> None:
        self.most = most
        self.shakes = shakes
        self.rest = bytearray()  # the part of a frame that waits for its other part
        self._need = HEADER_BYTES  # nothing can be cut before that many bytes are there
        self._seal: Seal | None = None
        self._around = HEADER_BYTES  # bytes of a frame that aren't its body

    def up(self, seal: Seal | None) -> None:
        """Cut from now on whatever is there, sealed frames if there is a seal."""
        self.most, self.shakes = MAX_FRAME_BYTES, False
        if seal is not None:
            self._seal, self._around = seal, HEADER_BYTES + TAG_BYTES

    def feed(self, data: bytes) -> Sequence[Bytes]:
        """Return the bodies of all frames that are complete now.

        WireError for one that is too long, or that isn't what the other side has sent.
        """
        # One whole frame and nothing else is the usual case, and worth a microsecond a hop.
        if not self.rest and len(data) > HEADER_BYTES:
            (length,) = _LENGTH.unpack_from(data)
            if length == len(data) - self._around and length <= self.most:
                return (data[HEADER_BYTES:] if self._seal is None else self._open(data),)
        if self.rest:
            self.rest += data
            if len(self.rest) < self._need:
                return ()
            data = bytes(self.rest)
            self.rest.clear()
        return self._cut(data)

    def _open(self, sealed: Bytes) -> Bytes:
        assert self._seal is not None  # frames are sealed
        if (body := self._seal.opened(sealed)) is None:
            raise WireError("changed", "the frames of this connection were changed on the way")
        return body

    def _cut(self, data: bytes) -> Sequence[Bytes]:
        bodies: list[Bytes] = []
        view = memoryview(data)
        start, end = 0, len(data)
        self._need = HEADER_BYTES
        while end - start >= HEADER_BYTES and not (self.shakes and bodies):
            (length,) = _LENGTH.unpack_from(view, start)
            if length > self.most:
                raise WireError("frame-too-long", _too_long(view[start:], length, self.most))
            stop = start + self._around + length
            if stop > end:
                self._need = self._around + length
                break
            frame = view[start:stop]
            bodies.append(frame[HEADER_BYTES:] if self._seal is None else self._open(frame))
            start = stop
        if start < end:
            self.rest += view[start:]
        return bodies


def _too_long(data: memoryview, length: int, most: int) -> str:
    if bytes(data[:HEADER_BYTES]) == b"HTTP":  # the first word of an answer to what we have sent
        return "the other side speaks HTTP: is that its --http port?"
    return f"a frame of {length:,} bytes; at most {most:,} are allowed"
