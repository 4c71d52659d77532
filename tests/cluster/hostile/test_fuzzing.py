"""Any bytes and a million frames at codec and sidecar: no crash, and nobody else notices.

SIDEGATE_FUZZ_FRAMES says how many (20,000 unless told). A million, as for a release:

    SIDEGATE_FUZZ_FRAMES=1000000 make test PYTEST_ARGS="-k million --log-cli-level=info"
"""

import logging
import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from sidegate.link.parts import Joiner
from sidegate.protocol.cache_messages import CacheGet, CachePart
from sidegate.protocol.codec import Framer, WireError, decode, encode
from sidegate.protocol.handshake import Accepting, Dialling
from sidegate.protocol.key_messages import ListKeys, ResetKeys
from sidegate.protocol.messages import (
    MAX_KEY_BYTES,
    Error,
    Inspect,
    Message,
    Ping,
    Pong,
    Proof,
    Reset,
)
from sidegate.protocol.outcome_messages import OUTCOMES, Outcomes
from sidegate.protocol.report_messages import Events, ReportQuery
from sidegate.reports.event_counts import name_is_good
from sidegate_sidecar.links.reporting.told_outcomes import SOURCES
from tests.cluster.hostile.fuzzed_frames import BODIES, IDENTITY, MAY_SAY, fuzzed, take
from tests.cluster.hostile.watched import NONCE, hello, together, watched
from tests.support.in_process.cluster import eventually
from tests.support.in_process.puppets import APP, Bare, approve_all, bare, frame
from tests.support.processes.memory import resident

log = logging.getLogger("sidegate")

FRAMES = int(os.environ.get("SIDEGATE_FUZZ_FRAMES", "20000"))


@given(st.binary(max_size=200))
@example(b"\0\0\0\0")
@example(b"\x91" * 200)
def test_any_bytes_are_messages_or_an_error(data: bytes) -> None:
    """Nothing but a WireError comes out of the codec, whatever goes in, framed or not."""
    for stream in (data, frame(data)):
        with suppress(WireError):
            take(stream)


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_any_bytes_are_a_handshake_or_an_error(bodies: list[bytes]) -> None:
    """Nothing but a WireError comes out of either side of a handshake."""
    for handshake in (Accepting(IDENTITY, NONCE, approve=approve_all), Dialling(APP, NONCE, "")):
        with suppress(WireError):
            for body in bodies:
                assert not handshake.done
                handshake.receive(body)


def outcome(data: bytes, take: Callable[[bytes], object]) -> str:
    """Return "taken", or the code of the WireError that was raised; all else is a failure."""
    try:
        take(data)
    except WireError as error:
        return error.code
    return "taken"


def handshaken(*before: bytes) -> Callable[[bytes], object]:
    """Return an accepting side that has got so far."""
    handshake = Accepting(IDENTITY, NONCE, approve=approve_all)
    for body in before:
        handshake.receive(body)
    return handshake.receive


def test_a_million_frames_at_the_codec() -> None:
    """Framer, codec and handshake make messages or WireErrors of all frames, nothing else."""
    random = Random(1)
    outcomes = Counter[str]()
    before = resident(os.getpid())
    for _ in range(FRAMES):
        data = fuzzed(random)
        outcomes[outcome(data, take)] += 1
        for so_far in ((), BODIES[:1]):
            outcomes[f"handshake {outcome(data[4:], handshaken(*so_far))}"] += 1
    grown = resident(os.getpid()) - before
    log.info("%s frames at the codec: %s, %d MiB more", f"{FRAMES:,}", outcomes, grown >> 20)
    assert outcomes["taken"] > FRAMES / 2
    assert outcomes["bad-message"] > FRAMES / 50
    assert grown < 32 << 20


FAREWELL = Ping(2**62)


def deserved(data: bytes) -> tuple[set[str], int]:
    """Return with which errors a sidecar may end a connection, "" for none, and after how many."""
    codes: set[str] = set()
    joiner = Joiner()
    looked_at = 0
    try:
        for looked_at, body in enumerate(Framer().feed(data), 1):
            message = decode(body)
            if isinstance(message, Error):
                return {*codes, "refused"}, looked_at
            if not may_say(message):
                return {*codes, "bad-message"}, looked_at
            if isinstance(message, (Inspect, Reset)) and len(message.key) > MAX_KEY_BYTES:
                codes.add("bad-key")  # in its own time: what is behind it may be answered
            if isinstance(message, (ListKeys, ResetKeys)) and is_no_prefix(message):
                codes |= {"bad-key", ""}  # the same
            if isinstance(message, Outcomes | ResetKeys | Events) and wrong_of_an_app(message):
                return {*codes, *wrong_of_an_app(message)}, looked_at
            if isinstance(message, CachePart):
                joiner.add(message)
    except WireError as error:
        return {*codes, error.code}, looked_at
    return codes or {""}, looked_at


def may_say(message: Message) -> bool:
    """Tell if an app may say that."""
    if isinstance(message, ReportQuery | ListKeys):
        return not message.hops  # else as nodes ask
    if isinstance(message, CacheGet):
        return not message.lease or len(message.keys) == 1
    return isinstance(message, MAY_SAY)


def is_no_prefix(message: ListKeys | ResetKeys) -> bool:
    """Tell if a question about many keys names none that there can be."""
    if isinstance(message, ListKeys):
        return len(message.text) > MAX_KEY_BYTES
    return len(message.prefix) > MAX_KEY_BYTES or not (message.prefix or message.everything)


def wrong_of_an_app(message: Outcomes | ResetKeys | Events) -> set[str]:
    """Return the errors of what an app may not say though it can be read."""
    if isinstance(message, ResetKeys):
        return {"bad-message"} if message.number or message.hops else set[str]()
    if isinstance(message, Events):
        return wrong_of_events(message)
    known = all(outcome in OUTCOMES for outcome, _ in message.counts)
    known &= all(source in SOURCES for _, source, *_ in message.keys)
    wrong = set[str]()
    if message.hops or not known:
        wrong.add("bad-message")
    if any(len(key or "") > MAX_KEY_BYTES for key, *_ in message.keys):
        wrong.add("bad-key")
    return wrong


def wrong_of_events(message: Events) -> set[str]:
    """Return the errors of events that can be read."""
    wrong = set[str]()
    if message.hops or not all(name_is_good(name) for name, *_ in message.rows):
        wrong.add("bad-message")
    if any(len((key or "").encode()) > MAX_KEY_BYTES for _, key, *_ in message.rows):
        wrong.add("bad-key")
    return wrong


async def ending(app: Bare) -> str:
    """Read to the farewell, or to the end; return the code of the error that was said."""
    while (message := await app.next()) is not None:
        if isinstance(message, Error):
            return message.code
        if message == Pong(FAREWELL.id):
            return ""
    return "refused"


@together  # it takes long: those that stand must not stand still meanwhile
async def test_a_million_frames_at_a_sidecar() -> None:
    """Each connection ends exactly as its frames deserve, and the sidecar is as it was before."""
    random = Random(2)
    opening = hello() + encode(Proof(b"any"))
    looked_at, endings = 0, Counter[str]()
    async with watched(max_memory=4 << 20) as it:
        before = resident(os.getpid())
        while looked_at < FRAMES:
            data = b"".join(fuzzed(random) for _ in range(random.randrange(1, 60)))
            codes, count = deserved(data + encode(FAREWELL))
            async with bare(it.node) as app:
                await app.send(opening, data, FAREWELL)
                code = await ending(app)
            assert code in codes, data
            endings[code] += 1
            looked_at += count
        await eventually(lambda: len(it.node.sessions.open) == 2)
        grown = resident(os.getpid()) - before
    of = f"{looked_at:,} frames on {endings.total():,} connections"
    log.info("%s: %s, %d MiB more", of, endings, grown >> 20)
    assert grown < 64 << 20
