"""Clients by hand: what they send is what the peers' definitions say, and they read the answers."""

import json

import pytest
from bench.peers.asking.messages import (
    GubernatorCheck,
    PeerError,
    Rate,
    RateguardCheck,
    RatelimitCheck,
    ThrottlecrabCheck,
)

from sidegate_sidecar.fronts.envoy import protobuf

RATE = Rate(10, 60)


def under(remaining: int) -> bytes:
    """What gubernator answers below a limit: a status of 0 is not written."""
    return protobuf.message(1, protobuf.whole(2, 10) + protobuf.whole(3, remaining))


OVER = protobuf.message(1, protobuf.whole(1, 1) + protobuf.whole(2, 10))
FAILED = protobuf.message(1, protobuf.octets(5, b"no such peer"))


def test_gubernator_is_asked_for_all_keys_in_one_message() -> None:
    """Name, key, hits, limit and duration in ms, as its gubernator.proto numbers them."""
    sent = GubernatorCheck(RATE, behavior=2).request(["a", "b"])
    first, second = (
        dict(protobuf.fields(it)) for _, it in protobuf.fields(sent) if type(it) is bytes
    )
    assert first == {1: b"bench", 2: b"a", 3: 1, 4: 10, 5: 60_000, 7: 2}
    assert second[2] == b"b"


def test_gubernators_answers_are_told_apart() -> None:
    first, second, third = GubernatorCheck(RATE).answers(under(9) + OVER + FAILED)
    assert (first, second) == (True, False)
    assert isinstance(third, PeerError)
    assert "no such peer" in str(third)


def test_gubernator_tells_who_owns_a_key() -> None:
    """It does so in the metadata of what it forwarded."""
    entry = protobuf.octets(1, b"owner") + protobuf.octets(2, b"127.0.0.1:1")
    forwarded = protobuf.message(1, protobuf.whole(2, 10) + protobuf.message(6, entry))
    assert GubernatorCheck(RATE).owners(under(9) + forwarded) == ["", "127.0.0.1:1"]


def test_ratelimit_is_asked_by_a_descriptor_for_each_key() -> None:
    sent = list(protobuf.fields(RatelimitCheck().request(["a", "b"])))
    entries = [
        dict(protobuf.fields(entry))
        for number, descriptor in sent
        if number == 2 and isinstance(descriptor, bytes)
        for _, entry in protobuf.fields(descriptor)
        if isinstance(entry, bytes)
    ]
    assert sent[0] == (1, b"bench")
    assert entries == [{1: b"user", 2: b"a"}, {1: b"user", 2: b"b"}]


def test_ratelimits_answers_are_those_of_descriptors() -> None:
    """The code of the whole call says only whether one of them is over its limit."""
    statuses = [protobuf.message(2, protobuf.whole(1, code)) for code in (1, 2, 0)]
    first, second, third = RatelimitCheck().answers(protobuf.whole(1, 2) + b"".join(statuses))
    assert (first, second) == (True, False)
    assert isinstance(third, PeerError)


def test_throttlecrab_is_sent_commands_of_resp() -> None:
    sent = ThrottlecrabCheck(RATE).request(["a", "bc"])
    first = b"*5\r\n$8\r\nTHROTTLE\r\n$1\r\na\r\n$2\r\n10\r\n$2\r\n10\r\n$2\r\n60\r\n"
    assert sent == first + first.replace(b"$1\r\na", b"$2\r\nbc")


ALLOWED = b"*5\r\n:1\r\n:10\r\n:9\r\n:60\r\n:0\r\n"
DENIED = b"*5\r\n:0\r\n:10\r\n:0\r\n:60\r\n:6\r\n"


def test_throttlecrabs_answers_may_come_in_parts() -> None:
    """Wherever a part ends, its rest is kept, and in the end all are read."""
    checks, whole = ThrottlecrabCheck(RATE), ALLOWED + DENIED + ALLOWED
    for end in range(len(whole)):
        answers, left = checks.take(whole[:end])
        more, rest = checks.take(left + whole[end:])
        assert (answers + more, rest) == ([True, False, True], b"")


def test_what_throttlecrab_refuses_is_an_error_with_its_words() -> None:
    with pytest.raises(PeerError, match="ERR invalid key"):
        ThrottlecrabCheck(RATE).take(b"-ERR invalid key\r\n")


def test_rateguard_is_sent_requests_of_http() -> None:
    head, _, body = RateguardCheck("h:1").request(["a"]).partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    assert line == "POST /v1/check HTTP/1.1"
    assert f"Content-Length: {len(body)}" in fields
    assert json.loads(body) == {"key": "a"}


def http(body: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def test_rateguards_answers_may_come_in_parts() -> None:
    checks = RateguardCheck("h:1")
    whole = http(b'{"allowed":true}') + http(b'{"allowed":false,"retry_after_ms":12}')
    for end in range(len(whole)):
        answers, left = checks.take(whole[:end])
        more, rest = checks.take(left + whole[end:])
        assert (answers + more, rest) == ([True, False], b"")


def test_what_rateguard_refuses_is_an_error_with_its_words() -> None:
    with pytest.raises(PeerError, match="expected value"):
        RateguardCheck("h:1").take(http(b'{"error":"expected value"}', b"400 Bad Request"))


def test_an_answer_without_a_length_is_an_error() -> None:
    with pytest.raises(PeerError, match="without a length"):
        RateguardCheck("h:1").take(b"HTTP/1.1 200 OK\r\n\r\n")
