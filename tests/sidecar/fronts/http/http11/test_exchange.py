"""Requests as they are read off a connection, and replies as they are written, without a socket."""

import pytest

from sidegate_sidecar.fronts.http.http11.bodies import MAX_BODY_BYTES, MAX_SENT_BYTES
from sidegate_sidecar.fronts.http.http11.exchange import (
    MAX_HEAD_BYTES,
    MAX_HEAD_LINES,
    HttpExchange,
    Phase,
)
from sidegate_sidecar.fronts.http.http11.head import HttpRequest
from sidegate_sidecar.fronts.http.http11.reply import Reply, problem

HELLO = Reply(200, "text/plain", b"hello")
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

CHUNKED = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def exchange(refused: Reply | None = None) -> HttpExchange:
    return HttpExchange("10.0.0.1", lambda _: refused)


def told(
    data: bytes, *, piece: int = MAX_HEAD_BYTES
) -> tuple[HttpExchange, HttpRequest | Reply | None]:
    """Give bytes in pieces until something comes out."""
    one, found = exchange(), None
    for at in range(0, len(data), piece):
        one.receive(data[at : at + piece])
        found = one.next()
        while found is None and one.has_more:
            found = one.next()
        if found is not None:
            break
    return one, found


def request(data: bytes, *, piece: int = MAX_HEAD_BYTES) -> HttpRequest:
    _, found = told(data, piece=piece)
    assert isinstance(found, HttpRequest), found
    return found


def refusal(data: bytes, *, piece: int = MAX_HEAD_BYTES) -> Reply:
    one, found = told(data, piece=piece)
    assert isinstance(found, Reply), found
    assert b"Connection: close" in one.write(found, "now")
    assert one.phase is Phase.OVER
    return found


@pytest.mark.parametrize("piece", [1, 7, MAX_HEAD_BYTES])
def test_a_request_is_read_however_it_comes(piece: int) -> None:
    """Method, target, host, fields and body, in one piece or byte by byte."""
    fields = b"Host: h:1\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n"
    data = b"POST /v1/a%2Fb?x=1 HTTP/1.1\r\n" + fields + b"\r\nabc"
    found = request(data, piece=piece)
    assert (found.head.method, found.head.target, found.head.path) == (
        "POST",
        "/v1/a%2Fb?x=1",
        "/v1/a%2Fb",
    )
    assert (found.head.authority, found.head.peer, found.body) == ("h:1", "10.0.0.1", b"abc")
    assert found.head.fields["x-a"] == "1, 2"


def test_a_target_may_name_the_host() -> None:
    """As for a proxy: it counts, and not the field."""
    found = request(b"GET http://other.example/v1/nodes?x HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (found.head.authority, found.head.target) == ("other.example", "/v1/nodes?x")
    assert request(b"GET http://other HTTP/1.1\r\nHost: x\r\n\r\n").head.target == "/"


def test_a_body_may_come_in_chunks() -> None:
    """Of any number, with words for the parser between them."""
    body = b"".join(b"1;x=y\r\n%c\r\n" % byte for byte in b"a" * 500)
    assert request(CHUNKED + body + b"0\r\nTrailer: 1\r\n\r\n").body == b"a" * 500


def test_requests_on_a_connection_are_replied_to_in_order() -> None:
    """What came at once is read one after the other, also behind a body."""
    one = exchange()
    one.receive(b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi" + GET + GET)
    targets: list[str] = []
    while one.phase is not Phase.IDLE:
        found = one.next()
        assert isinstance(found, HttpRequest)
        assert one.next() is None  # until the reply is written
        targets.append(found.head.target)
        assert one.write(HELLO, "now").startswith(b"HTTP/1.1 200 OK\r\n")
    assert targets == ["/b", "/a", "/a"]


def test_a_reply_has_its_length_and_its_date() -> None:
    """And the fields that it was given."""
    one, _ = told(GET)
    reply = Reply(405, "text/plain", b"hello", [("Allow", "GET")])
    assert one.write(reply, "today") == (
        b"HTTP/1.1 405 Method Not Allowed\r\nDate: today\r\nContent-Type: text/plain\r\n"
        b"Content-Length: 5\r\nAllow: GET\r\n\r\nhello"
    )


def test_head_is_get_without_the_body() -> None:
    """The length is that of the body that GET would bring."""
    one, _ = told(GET.replace(b"GET", b"HEAD"))
    written = one.write(HELLO, "today")
    assert b"Content-Length: 5\r\n" in written
    assert written.endswith(b"\r\n\r\n")
    assert one.phase is Phase.IDLE


@pytest.mark.parametrize(
    "data", [b"GET /a HTTP/1.0\r\n\r\n", b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"]
)
def test_a_connection_that_was_to_be_closed_is(data: bytes) -> None:
    """By the version, or by the field."""
    one, found = told(data)
    assert isinstance(found, HttpRequest)
    assert b"Connection: close" in one.write(HELLO, "now")
    assert one.phase is Phase.OVER


def test_what_is_refused_by_its_head_keeps_the_connection_if_nothing_follows() -> None:
    """With a body under way it is closed, since nobody reads that."""
    refused = problem(401, "no", reason="secret")
    for data, phase in (
        (GET + GET, Phase.HEAD),
        (GET, Phase.IDLE),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", Phase.IDLE),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", Phase.OVER),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", Phase.OVER),
    ):
        one = exchange(refused)
        one.receive(data)
        assert one.next() is refused
        assert one.write(refused, "now").startswith(b"HTTP/1.1 401 Unauthorized\r\n")
        assert one.phase is phase


def test_a_sender_that_waits_for_a_word_gets_it_once_it_is_admitted() -> None:
    """Not when it is refused, and not when the body came anyway."""
    data = b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    one, found = told(data)
    assert found is None
    assert one.interim() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert one.interim() == b""
    one.receive(b"hi")
    assert isinstance(one.next(), HttpRequest)
    unasked, found = told(data + b"hi")
    assert isinstance(found, HttpRequest)
    assert unasked.interim() == b""


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),  # TLS
        (b"\x00", 400),
        (b"\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /a HTTP/2.0\r\nHost: x\r\n\r\n", 400),
        (b"GET /a\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\n folded\r\nHost: x\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", 400),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\na", 400),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1_0\r\n\r\na", 400),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\na" % (b"9" * 5_000), 400),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400),
        (CHUNKED.replace(b"Host", b"Content-Length: 4\r\nHost") + b"0\r\n\r\n", 400),
        (CHUNKED + b"zz\r\n", 400),
        (CHUNKED + b"-1\r\n", 400),
        (b"GET /" + b"a" * MAX_HEAD_BYTES, 431),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nX: " + b"a" * MAX_HEAD_BYTES, 431),
        (b"GET /a HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * MAX_HEAD_LINES, 431),
        (b"\n" * 200, 400),
        (b"GET /a HTTP/1.1\r\nX: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n", 431),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", 413),
        (CHUNKED + b"10000\r\n" + b"a" * 65_536 + b"\r\n1\r\na\r\n", 413),
    ],
    ids=lambda it: str(it[:40]) if isinstance(it, bytes) else str(it),
)  # fmt: skip
def test_what_is_no_good_request_is_refused(data: bytes, status: int) -> None:
    """With a status that says whose fault it is, and nothing more is read."""
    assert refusal(data).status == status


def test_byte_by_byte_it_is_refused_too() -> None:
    """As early as it can be told."""
    assert refusal(b"\x16" + b"a" * 100, piece=1).status == 400
    assert refusal(b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", piece=1).status == 400


def test_words_between_chunks_have_an_end() -> None:
    """Also when the body itself stays short."""
    chunk = b"1;" + b"x" * 1_000 + b"\r\na\r\n"
    assert refusal(CHUNKED + chunk * (MAX_SENT_BYTES // 1_000)).status == 413
    assert refusal(CHUNKED + b"1;" + b"x" * 2 * MAX_HEAD_BYTES).status == 400
    assert refusal(CHUNKED + b"0\r\n" + b"x: y\r\n" * MAX_HEAD_BYTES).status == 400


def test_a_body_may_be_as_long_as_it_may() -> None:
    """To the byte."""
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n"
    assert len(request(head + b"a" * MAX_BODY_BYTES).body) == MAX_BODY_BYTES


def test_many_small_chunks_are_read_a_part_at_a_time() -> None:
    """So that none of it takes long."""
    one = exchange()
    one.receive(CHUNKED)
    assert one.next() is None
    one.receive(b"1\r\na\r\n" * 1_000)
    parts = 0
    while one.next() is None and one.has_more:
        parts += 1
    assert parts >= 10
    one.receive(b"0\r\n\r\n")
    found = one.next()
    assert isinstance(found, HttpRequest)
    assert found.body == b"a" * 1_000


def test_an_upgrade_is_not_taken() -> None:
    """The request is replied to as any other."""
    one, found = told(
        b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" + GET
    )
    assert isinstance(found, HttpRequest)
    one.write(HELLO, "now")
    assert isinstance(one.next(), HttpRequest)


def test_a_reply_may_come_in_pieces_until_one_side_ends_it() -> None:
    """It has no length, the connection is to be closed, and what comes meanwhile is dropped."""
    one, _ = told(GET)
    assert one.write_start(Reply(200, "text/plain", b""), "today") == (
        b"HTTP/1.1 200 OK\r\nDate: today\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    )
    assert one.phase is Phase.STREAM
    one.receive(GET)
    assert one.next() is None


def test_a_reply_in_pieces_has_none_for_head() -> None:
    """Its head is all, and it is over."""
    one, _ = told(GET.replace(b"GET", b"HEAD"))
    assert one.write_start(HELLO, "today").endswith(b"close\r\n\r\n")
    assert one.phase is Phase.OVER
