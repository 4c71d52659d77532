"""Frames that are almost right, made by a generator of random numbers."""

from random import Random

from sidegate.protocol.cache_messages import (
    CacheClear,
    CacheDelete,
    CacheDone,
    CacheEntries,
    CacheForget,
    CacheGet,
    CachePart,
    CacheRelease,
    CacheSet,
    CacheState,
    CacheValues,
)
from sidegate.protocol.codec import Framer, decode, encode, tracing_decoder
from sidegate.protocol.handshake import Identity
from sidegate.protocol.holds.slot_messages import (
    FreedBy,
    SlotAnswer,
    SlotAsk,
    SlotsFreed,
    SlotsHeld,
    SlotState,
)
from sidegate.protocol.key_messages import (
    KeyOrder,
    KeysBy,
    KeysListed,
    KeysReset,
    ListKeys,
    ResetKeys,
)
from sidegate.protocol.messages import (
    Answers,
    Checks,
    Error,
    Holdings,
    Inspect,
    Message,
    Ping,
    Pong,
    Proof,
    Reset,
    Roster,
    TracedChecks,
    Welcome,
)
from sidegate.protocol.outcome_messages import Outcomes
from sidegate.protocol.report_messages import (
    EventQuery,
    Events,
    ReportAnswer,
    ReportPart,
    ReportQuery,
)
from sidegate.protocol.traces import traceparent
from tests.cluster.hostile.watched import NONCE
from tests.support.in_process.puppets import APP, node_named

IDENTITY = Identity("node", "n1", "sidegate", link="127.0.0.1:1")


read_traced = tracing_decoder()


def take(data: bytes) -> list[Message]:
    """Return all messages in some bytes, as who traces reads them.

    Only WireError may come out of bytes, and who doesn't trace takes whatever the other does.
    """
    bodies = Framer().feed(data)
    messages = [read_traced(body) for body in bodies]
    for body in bodies:
        decode(body)
    return messages


def originals() -> list[Message]:
    """Return messages of each kind, as they might come."""
    asked = [(f"user:{at}", "5/day; 100/hour burst 7", at % 7) for at in range(12)]
    return [
        APP.hello(NONCE),
        node_named("n9").hello(NONCE),
        Proof(b"p" * 32),
        Welcome(b"w" * 32),
        Checks(1, 0, 50_000, asked),
        Checks(2**40, 1, 1, asked[:1]),
        Checks(3, 0, 0, []),
        TracedChecks(4, 0, 50_000, asked[:2], traces=[(0, traceparent(7, 9)), (1, "x" * 55)]),
        Answers(1, "owner", "n1", [0, 2], [[1, 10**15], "no such limit"]),
        Ping(7),
        Pong(7),
        Roster("d" * 16, [("n1", "127.0.0.1:1"), ("n9", "[::1]:9")]),
        Inspect(8, 0, "user:1"),
        Reset(9, 0, "user:2"),
        Holdings(1, "owner", "n1", [("5/day", 10**15)]),
        ListKeys(10, 0, 250_000, KeysBy.PREFIX, "user:", KeyOrder.DEBT, 50),
        ListKeys(11, 1, 1, KeysBy.IDENTITY, "1", KeyOrder.KEY, 1_000),
        KeysListed(10, ["n1", "n9"], ["n8"], ["n9"], [("user:1", 1, [("5/day", 10**15)])], 1),
        ResetKeys(12, 0, "user:"),
        Outcomes([("open", 3)], [("user:1", "open", 1, 3, 0), (None, "remembered", 0, 9, 0)]),
        ResetKeys(13, 1, "", 1, 2**62),
        KeysReset(12, [("n1", 5)], ["n8"]),
        ReportQuery(10, 0, 300, "user", "key", 5),
        ReportPart(10, "n1", 3, [9, 1, 0, 0, 9], [("user:1", [9, 3, 1, 0])]),
        ReportAnswer(10, 1, 2, ["n9"], 330, 3, [9, 1, 0, 0, 9], [("user:1", "n1", [9, 3, 1, 0])]),
        Events([("signup", "DE", 3, 10**15), ("signup", None, 2, 0), ("visit", "", 10**9, 1)]),
        EventQuery(11, 0, 300, "signup", "key", 5),
        EventQuery(12, 0, 600, "", "time", 5),
        Error("busy", "no more fit"),
        CacheGet(1, 0, "users", ["42", "größe"], 0, 1_000_000),
        CacheGet(2, 0, "users", ["42"], 2_000_000),
        CacheValues(2, [(0, CacheState.FILL, 0, 2**32 + 1, b"")]),
        CacheSet(3, 0, "users", "42", 2**32 + 1, 60_000_000, 10, b"\xa3Ada"),
        CacheDelete(4, 0, "users", ["42"]),
        CacheClear(5, 0, "users"),
        CacheDone(5, 3),
        CacheRelease(0, "users", "42", 2**32 + 1),
        CacheForget("users", ["42"]),
        CacheEntries(6, [("users", "42", 1, 2, 3, True, b"\xa3Ada")]),
        CachePart(100, 0, b"\x97"),
        SlotAsk(7, 0, "user:42", 4, 600_000, 1_000, 1),
        SlotAsk(2**61, 0, "größe", 1, 1),
        SlotAnswer(7, SlotState.GRANTED, "n1", "owner", 1),
        SlotsHeld(0, "", [(7, "user:42", 540_000), (8, "user:43", 1)], 1),
        SlotsFreed(0, "", FreedBy.RELEASED, [(7, "user:42"), (9, "")]),
    ]


MAY_SAY = (
    Checks,
    Ping,
    Inspect,
    Reset,
    ListKeys,
    ResetKeys,
    Outcomes,
    ReportQuery,
    Events,
    CacheGet,
    CacheSet,
    CacheDelete,
    CacheClear,
    CacheRelease,
    CachePart,
    SlotAsk,
    SlotsHeld,
    SlotsFreed,
)
"""What an app may say."""

BODIES = [encode(message)[4:] for message in originals()]
QUESTIONS = [encode(message)[4:] for message in originals() if isinstance(message, MAY_SAY)]


def spoiled(random: Random) -> bytes:
    """Return a body that was changed in one to four places, or is nothing but chance."""
    if random.random() < 0.1:
        return random.randbytes(random.randrange(64))
    body = bytearray(random.choice(BODIES))
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(body) + 1)
        match random.randrange(5):
            case 0:
                body[at : at + 1] = random.randbytes(1)
            case 1:
                del body[at : at + random.randrange(1, 4)]
            case 2:
                body[at:at] = random.randbytes(random.randrange(1, 4))
            case 3:
                body[at:] = random.choice(BODIES)[random.randrange(10) :]
            case _:
                body[at : at + 1] = random.choice((b"\xff", b"\x00", b"\xdd", b"\xc1", b"\xcf"))
    return bytes(body)


def scratched(random: Random) -> bytes:
    """Return a question with another letter or number somewhere: as a rule another question."""
    body = bytearray(random.choice(QUESTIONS))
    letters = [at for at, byte in enumerate(body) if chr(byte).isalnum()]
    if letters:
        body[random.choice(letters)] = random.randrange(32, 127)
    return bytes(body)


def fuzzed(random: Random) -> bytes:
    """Return a frame that is only scratched, or spoiled, or has a wrong length."""
    body = scratched(random) if random.random() < 0.95 else spoiled(random)
    length = len(body) if random.random() < 0.999 else random.randrange(1 << 32)
    return length.to_bytes(4, "big") + body
