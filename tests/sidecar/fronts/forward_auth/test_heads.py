"""Heads that are read, and all that is none."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_sidecar.fronts.forward_auth.heads import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    AuthHead,
    HeadError,
    HeadReader,
)

FIRST = b"GET /v1/auth/envoy/x?y HTTP/1.1\r\n"
GOOD = FIRST + b"Host: a\r\nX-Key: b\r\nx-key:  c \r\n\r\n"


def read(head: bytes) -> AuthHead:
    return HeadReader().read(head)


def test_a_head_is_read_line_by_line() -> None:
    """Names in small letters, lines of one name in their order."""
    fields = {b"host": [b"a"], b"x-key": [b"b", b"c"]}
    assert read(GOOD) == AuthHead("GET", b"/v1/auth/envoy/x?y", fields, stays=True, body=0)


@pytest.mark.parametrize(
    ("head", "stays"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", False),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", False),
    ],
)
def test_it_says_whether_another_one_may_follow(head: bytes, stays: bool) -> None:
    """And the next one is read, whatever it was."""
    reader = HeadReader()
    assert reader.read(head).stays is stays
    assert reader.read(GOOD).stays


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        *((it, 400) for it in (b"", b"Host: a\r\nHost: a\r\n", b"Host: a\r\nhost: b\r\n")),
        (b"Host: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n", 400),
        (b"Host: a\r\nContent-Length: 1, 1\r\n", 400),
        (b"Host: a\r\nContent-Length: +1\r\n", 400),
        (b"Host: a\r\nContent-Length: -1\r\n", 400),
        (b"Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n", 400),
        (b"Host: a\r\nTransfer-Encoding: xchunked\r\n", 400),
        (b"Host: a\r\nTransfer-Encoding: chunked\r\n", 411),
        (b"Host: a\r\nContent-Length: %d\r\n" % (MAX_BODY_BYTES + 1), 413),
        (b"Host: a\r\nContent-Length: %s1\r\n" % (b"0" * 5_000), 0),
        (b"Host: a\r\nContent-Length: 1%s\r\n" % (b"0" * 5_000), 400),
        (b"Host: a\r\n folded\r\n", 400),
        (b"Host: a\r\nX: b\r\n\tfolded\r\n", 400),
        (b"Host: a\nX: b\r\n", 400),
        (b"Host: a\rX: b\r\n", 400),
        (b"Host: a\0b\r\n", 400),
        (b"Host: a\x01b\r\n", 400),
        (b"Host : a\r\n", 400),
        (b": a\r\n", 400),
        (b"Host\r\n", 400),
        (b"Host: a\r\nX: %s\r\n" % (b"x" * MAX_HEAD_BYTES), 431),
        (b"Host: a\r\n" + b"X: x\r\n" * 100, 431),
    ],
)
def test_what_two_readers_could_read_apart_is_refused(fields: bytes, status: int) -> None:
    """And the next head is read as if nothing had been."""
    reader = HeadReader()
    head = FIRST + fields + b"\r\n"
    if status:
        with pytest.raises(HeadError) as caught:
            reader.read(head)
        assert caught.value.status == status
        assert "expected" in caught.value.why
    else:
        assert reader.read(head).body == 1
    assert reader.read(GOOD) == read(GOOD)


@pytest.mark.parametrize(
    "first",
    [
        *(b"GET / HTTP/0.9", b"GET / HTTP/2.0", b"GET / HTTP/1.2", b"GET /", b"", b"GET  HTTP/1.1"),
        *(b"DESCRIBE / RTSP/1.0", b"SOURCE / ICE/1.0", b"PRI * HTTP/2.0", b"FOO / HTTP/1.1"),
        *(b"GET /a b HTTP/1.1", b"GET /\xc3\xa9 HTTP/1.1", b"GET /\x01 HTTP/1.1", b" HTTP/1.1"),
    ],
)
def test_another_first_line_is_refused(first: bytes) -> None:
    with pytest.raises(HeadError) as caught:
        read(first + b"\r\nHost: a\r\n\r\n")
    assert caught.value.status == 400


PIECES = st.sampled_from(
    [
        *(b"GET", b"POST", b"HEAD", b"CONNECT", b" ", b"/", b"/v1/auth/nginx", b"HTTP/1.1", b"*"),
        *(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"\r\n", b"\r", b"\n", b":", b",", b"\0", b"\xff"),
        *(b"Host: a\r\n", b"Host:", b"Content-Length: ", b"0", b"7", b"99999999999", b"chunked"),
        *(b"Transfer-Encoding: ", b"Connection: close\r\n", b"Upgrade: x\r\n", b"Connection: "),
        *(
            b"Upgrade",
            b"Expect: 100-continue\r\n",
            b"X: y\r\n",
            b" fold\r\n",
            b"GET / HTTP/1.1\r\n",
        ),
    ]
)


@given(st.lists(st.lists(PIECES | st.binary(max_size=20), max_size=20).map(b"".join), max_size=4))
def test_nonsense_is_refused_and_leaves_nothing_behind(heads: list[bytes]) -> None:
    """No other exception; what is read is within its bounds, and the next head is read right."""
    reader = HeadReader()
    for head in heads:
        with suppress(HeadError):
            assert 0 <= reader.read(head + b"\r\n\r\n").body <= MAX_BODY_BYTES
        assert reader.read(GOOD) == read(GOOD)
