"""Levels: two releases shake hands, and the newer one knows what the older one doesn't."""

from dataclasses import replace
from typing import Any

import pytest

from sidegate.protocol.codec import HEADER_BYTES, WireError, decode, encode
from sidegate.protocol.handshake import Identity
from sidegate.protocol.levels import LEVEL, QUOTAS, readable, unknown_to
from sidegate.protocol.messages import Buckets, Charged, Checks, Hello, Message, Refund
from sidegate.protocol.outcome_messages import Outcomes
from sidegate.protocol.report_messages import ReportQuery
from sidegate.trust.secrets import known
from tests.middleware.golden import APP, MESSAGES, NODE, SECRET
from tests.middleware.protocol.shaking import Pair, identity
from tests.support.in_process.older import OLDER_KINDS, OlderIdentity, decode_older

OLDER_APP = OlderIdentity(APP.role, APP.name, APP.cluster, known(SECRET))
OLDER_NODE = OlderIdentity(
    NODE.role, NODE.name, NODE.cluster, known(SECRET), NODE.link, ring=NODE.ring
)


def test_an_older_release_reads_a_hello_with_a_level_as_one_without() -> None:
    read: Any = decode_older(encode(NODE)[HEADER_BYTES:])
    assert (read.name, read.ring) == (NODE.name, NODE.ring)


def test_of_quotas_nothing_is_told_to_who_cannot_read_them() -> None:
    """All else in a message is."""
    buckets = Buckets(7, [("5/day", ["k"], [1]), ("5/day window@20788", ["k"], [1])])
    put_by = Buckets(7, [("\x1f5/day window@20788", ["k"], [1])])
    rows = [("k", "5/day", [1], [(1, 0, 1)]), ("k", "9/second; 5/day window", [1, 1], [(1, 1, 1)])]
    for level in range(QUOTAS):
        assert readable(buckets, level) == Buckets(7, buckets.groups[:1])
        assert readable(put_by, level) == Buckets(7, [])
        assert readable(Charged(7, rows), level) == Charged(7, rows[:1])
        assert readable(MESSAGES["Ping"], level) == MESSAGES["Ping"]
    assert readable(buckets, QUOTAS) == buckets
    assert readable(Charged(7, rows), QUOTAS) == Charged(7, rows)


def test_who_says_no_level_is_of_the_lowest() -> None:
    read = decode(encode(OLDER_APP.hello(bytes(32)))[HEADER_BYTES:])
    assert isinstance(read, Hello)
    assert read.level == 0


def test_a_level_below_that_is_no_hello() -> None:
    with pytest.raises(WireError, match="bad-message"):
        decode(encode(identity(replace_level(APP, -1)).hello(bytes(32)))[HEADER_BYTES:])


def replace_level(hello: Hello, level: int) -> Hello:
    name, cluster, nonce, link = hello.name, hello.cluster, hello.nonce, hello.link
    return Hello(1, hello.role, name, cluster, nonce, link, hello.dialled, hello.ring, level)


@pytest.mark.parametrize(
    ("dialler", "acceptor"),
    [(OLDER_APP, identity(NODE, SECRET)), (identity(APP, SECRET), OLDER_NODE)],
    ids=["older app", "older node"],
)
def test_proofs_and_seals_hold_whichever_side_is_older(
    dialler: Identity, acceptor: Identity
) -> None:
    """They are about the bytes of both Hellos as they came."""
    pair = Pair(dialler, acceptor)
    pair.run()
    assert pair.is_up
    assert pair.dialler.seals is not None
    assert pair.acceptor.seals is not None
    frame = encode(MESSAGES["Ping"])
    sealed = pair.dialler.seals[0].sealed(frame)
    assert pair.acceptor.seals[1].opened(sealed) == frame[HEADER_BYTES:]


def test_the_newer_side_says_what_the_older_one_lacks() -> None:
    pair = Pair(identity(APP, SECRET), OLDER_NODE)
    pair.run()
    lacks = pair.dialler.lacks
    assert lacks(ReportQuery) == "node-a is of an older version, which has no reports"
    assert lacks(Refund) == "node-a is of an older version, which has no refunds"
    assert not lacks(Checks)


def test_each_kind_of_message_is_an_old_one_or_has_its_level() -> None:
    """Whoever adds a kind gives it a level: else it ends the links of who is older."""
    new = set(unknown_to(replace_level(APP, 0), "app"))
    kinds: set[Any] = set(Message.__args__)
    assert kinds == OLDER_KINDS | new | {Hello}
    assert not OLDER_KINDS & new


def test_what_apps_said_before_nodes_have_said_only_since() -> None:
    older = replace_level(NODE, 0)
    assert Outcomes in unknown_to(older, "node")
    assert Outcomes not in unknown_to(older, "app")


@pytest.mark.parametrize("level", [LEVEL, LEVEL + 1, 2**62])
def test_who_is_as_new_or_newer_lacks_nothing(level: int) -> None:
    assert not unknown_to(replace_level(NODE, level), "node")


def test_this_release_says_its_level() -> None:
    assert Identity("app", "a", "").hello(bytes(32)).level == LEVEL
    assert replace(Identity("app", "a", ""), level=0).hello(bytes(32)).level == 0
