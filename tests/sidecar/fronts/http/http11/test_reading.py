"""What is read is what h11 reads, and less: what is taken another reader takes for the same."""

from typing import Final

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidegate_sidecar.fronts.http.http11.bodies import MAX_LINE_BYTES, MAX_TRAILERS
from sidegate_sidecar.fronts.http.http11.exchange import HttpExchange
from sidegate_sidecar.fronts.http.http11.head import HttpRequest
from sidegate_sidecar.fronts.http.http11.reply import Reply

HELLO = Reply(200, "text/plain", b"hello")
CHUNKED: Final = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

Read = tuple[str, str, list[tuple[str, str]], bytes]


def taken(data: bytes, pieces: int = 1) -> list[Read]:
    """Return the requests that are read, until one that is none."""
    exchange = HttpExchange("", lambda _: None)
    found: list[Read] = []
    step = -(-len(data) // pieces) or 1
    for at in range(0, len(data), step):
        exchange.receive(data[at : at + step])
        while True:
            request = exchange.next()
            if isinstance(request, HttpRequest):
                head = request.head
                fields = sorted(head.fields.items())
                found.append((head.method, head.target, fields, request.body))
                exchange.write(HELLO, "now")
            elif isinstance(request, Reply):
                return found
            elif not exchange.has_more:
                break
    return found


def taken_by_h11(data: bytes) -> list[Read]:
    connection = h11.Connection(h11.SERVER, 1 << 20)
    connection.receive_data(data)
    found: list[Read] = []
    try:
        while isinstance(head := connection.next_event(), h11.Request):
            body = b""
            while isinstance(event := connection.next_event(), h11.Data):
                body += event.data
            if not isinstance(event, h11.EndOfMessage):
                break
            found.append((*_start_of(head), body))
            if connection.their_state is not h11.DONE:
                break  # it was the last
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            connection.start_next_cycle()
    except h11.ProtocolError:
        pass
    return found


def _start_of(head: h11.Request) -> tuple[str, str, list[tuple[str, str]]]:
    fields: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode(), raw_value.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return head.method.decode(), head.target.decode(), sorted(fields.items())


BITS: Final = (
    *(b"GET /a HTTP/1.1", b"POST /b HTTP/1.1", b"GET /c HTTP/1.0", b"get  /a HTTP/1.1"),
    *(b"Host: x", b"Host : x", b"host:x", b"X-A: 1", b"X-A:\t2 \t", b"X:", b": y", b" folded"),
    *(b"Content-Length: 3", b"Content-Length: +3", b"Content-Length: 3, 3", b"content-length:0"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: CHUNKED", b"Transfer-Encoding: x"),
    *(b"Connection: close", b"Expect: 100-continue", b"abc", b"3", b"3;x=y", b"03", b"0", b"0x3"),
    *(b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\r\n\r\n", b"\r\n\r\n", b"\n", b"\r", b"\x00", b"\xff"),
)
WHOLE: Final = (
    b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
    CHUNKED + b"1;x\r\na\r\n2;y=z\r\nbc\r\n000\r\nX: y\r\n\r\n",
)


@given(
    st.lists(st.sampled_from(WHOLE) | st.sampled_from(BITS), max_size=14).map(b"".join)
    | st.tuples(st.sampled_from(WHOLE), st.binary(max_size=3), st.integers(0, 120)).map(
        lambda it: it[0][: it[2]] + it[1] + it[0][it[2] + len(it[1]) :]
    ),
    st.integers(1, 40),
)
@example(b"".join(WHOLE), 1)
@example(b"".join(WHOLE) * 3, 40)
@settings(max_examples=600, deadline=None)
def test_whatever_is_taken_another_reader_takes_for_the_same(data: bytes, pieces: int) -> None:
    """In any pieces, up to where it is refused; no request is in it that h11 doesn't see."""
    found = taken(data, pieces)
    assert found == taken(data)
    assert found == taken_by_h11(data)[: len(found)]


def test_what_is_whole_is_taken() -> None:
    assert [it[3] for it in taken(b"".join(WHOLE), 7)] == [b"", b"abc", b"abc", b"abc"]


@pytest.mark.parametrize(
    "data",
    [
        b"GET /a HTTP/1.1\r\nHost: x\r\nX: 1\r\n folded\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nX : 1\r\n\r\n",
        b"GET /a HTTP/1.1\rHost: x\r\n\r\n",
        b"GET  /a HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\na",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: \xb2\r\n\r\na",
        b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED.replace(b"chunked", b"chunked\r\nTransfer-Encoding: chunked") + b"0\r\n\r\n",
        CHUNKED + b"1\na\r\n0\r\n\r\n",
        CHUNKED + b"1\r\nab\r\n0\r\n\r\n",
        CHUNKED + b"1\r\na\n0\r\n\r\n",
        CHUNKED + b"+1\r\na\r\n0\r\n\r\n",
        CHUNKED + b"1_0\r\n",
        CHUNKED + b"0\r\nno colon\r\n\r\n",
        CHUNKED + b"0\r\n" + b"x: y\r\n" * MAX_TRAILERS + b"\r\n",
        CHUNKED + b"1;" + b"x" * MAX_LINE_BYTES + b"\r\na\r\n0\r\n\r\n",
    ],
)
def test_what_could_be_read_in_another_way_is_refused(data: bytes) -> None:
    exchange = HttpExchange("", lambda _: None)
    exchange.receive(data)
    found = exchange.next()
    assert isinstance(found, Reply), found
    assert found.status == 400
    assert b"Connection: close" in exchange.write(found, "now")
