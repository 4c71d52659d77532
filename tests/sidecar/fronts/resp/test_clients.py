"""What stock clients say before their checks, and what is answered."""

import pytest

from sidegate.version import __version__
from sidegate_sidecar.fronts.resp.clients import RespClient
from tests.sidecar.fronts.resp.speaking import SECRET

WRONG = b"-WRONGPASS invalid username-password pair: expected user default and the secret\r\n"
NO_AUTH = b"-NOAUTH "
GREETING = (
    b"$6\r\nserver\r\n$8\r\nsidegate\r\n$7\r\nversion\r\n$%d\r\n%s\r\n$5\r\nproto\r\n:%%d\r\n"
    b"$2\r\nid\r\n:7\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
    b"$7\r\nmodules\r\n*0\r\n"
) % (len(__version__), __version__.encode())


class Stub:
    """A sidecar as its clients see it."""

    def __init__(self, secret: bytes = b"") -> None:
        self.secret = secret

    def needs_secret(self) -> bool:
        return bool(self.secret)

    def knows(self, secret: bytes) -> bool:
        return secret == self.secret

    def facts(self) -> dict[str, str | int]:
        return {"node": "n1", "ready": 1}


def client(secret: bytes = b"") -> RespClient:
    return RespClient(Stub(secret), 7)


def say(one: RespClient, *words: str | bytes) -> bytes:
    command = [it if isinstance(it, bytes) else it.encode() for it in words]
    return one.reply(command[0].upper(), command)


def test_hello_in_both_versions() -> None:
    """A map in the third, a list in the second; without a number it is as it was."""
    one = client()
    assert say(one, "HELLO") == b"*14\r\n" + GREETING % 2
    assert say(one, "hello", "3") == b"%7\r\n" + GREETING % 3
    assert say(one, "HELLO") == b"%7\r\n" + GREETING % 3
    assert say(one, "HELLO", "4").startswith(b"-NOPROTO unsupported protocol version '4': expected")
    assert say(one, "HELLO", "2", "SETNAME", "app") == b"*14\r\n" + GREETING % 2
    assert say(one, "CLIENT", "GETNAME") == b"$3\r\napp\r\n"
    assert say(one, "HELLO", "3", "TRACKING").startswith(b"-ERR HELLO option 'TRACKING': expected")


def test_nothing_is_said_to_who_has_shown_nothing() -> None:
    """But how to show the secret, once or in HELLO."""
    for words in (["PING"], ["INFO"], ["HELLO", "3"], ["CLIENT", "ID"], ["DEL"], ["NO"]):
        one = client(SECRET)
        assert say(one, *words).startswith(NO_AUTH)
        assert not one.is_proven
        assert not one.is_over
    assert say(client(SECRET), "AUTH", SECRET) == b"+OK\r\n"
    assert say(client(SECRET), "auth", "default", SECRET) == b"+OK\r\n"
    one = client(SECRET)
    greeted = say(one, "HELLO", "3", "SETNAME", "app", "AUTH", "default", SECRET)
    assert greeted == b"%7\r\n" + GREETING % 3
    assert one.is_proven


@pytest.mark.parametrize(
    "words",
    [
        ["AUTH", "wrong"],
        ["AUTH", ""],
        ["AUTH", "default", "wrong"],
        ["AUTH", "somebody", SECRET],
        ["HELLO", "3", "AUTH", "default", SECRET + b"x"],
    ],
)
def test_a_wrong_secret_is_the_last_word(words: list[str | bytes]) -> None:
    """So each guess costs a connection."""
    one = client(SECRET)
    assert say(one, *words) == WRONG
    assert (one.is_over, one.fault, one.is_proven) == (True, "secret", False)


def test_a_secret_where_there_is_none_is_an_error() -> None:
    """As with Redis: whoever thinks that it guards something should know."""
    one = client()
    assert say(one, "AUTH", "x").startswith(b"-ERR AUTH called without any password configured")
    assert say(one, "PING") == b"+PONG\r\n"


def test_reset_takes_all_back() -> None:
    """Name, version and right."""
    one = client(SECRET)
    say(one, "HELLO", "3", "AUTH", "default", SECRET, "SETNAME", "app")
    assert say(one, "RESET") == b"+RESET\r\n"
    assert say(one, "PING").startswith(NO_AUTH)
    say(one, "AUTH", SECRET)
    assert say(one, "CLIENT", "GETNAME") == b"$-1\r\n"


REPLIES: dict[tuple[str, ...], bytes] = {
    ("PING",): b"+PONG\r\n",
    ("PING", "a b"): b"$3\r\na b\r\n",
    ("ECHO", "HTTP/1.1"): b"$8\r\nHTTP/1.1\r\n",
    ("SELECT", "0"): b"+OK\r\n",
    ("CLIENT", "SETINFO", "LIB-NAME", "redis-py"): b"+OK\r\n",
    ("client", "setinfo", "lib-ver", "8.1.0"): b"+OK\r\n",
    ("CLIENT", "SETNAME", "app"): b"+OK\r\n",
    ("CLIENT", "ID"): b":7\r\n",
    ("CLIENT", "INFO"): b"$18\r\nid=7 name= resp=2\n\r\n",
    ("COMMAND",): b"*0\r\n",
    ("COMMAND", "COUNT"): b":0\r\n",
    ("COMMAND", "DOCS"): b"*0\r\n",
    ("CONFIG", "GET", "save"): b"*0\r\n",
}
ERRORS: dict[tuple[str, ...], str] = {
    ("PING", "a", "b"): "PING with 2 arguments: expected one at most",
    ("ECHO",): "ECHO with 0 arguments: expected one",
    ("AUTH",): "AUTH with 0 arguments: expected user default and a secret",
    ("DEL",): "DEL with 0 arguments: expected keys",
    ("SELECT", "1"): "DB index '1' is out of range: expected 0",
    ("CLIENT",): "CLIENT : expected SETINFO",
    ("CLIENT", "MAINT_NOTIFICATIONS", "ON"): "CLIENT MAINT_NOTIFICATIONS ON: expected SETINFO",
    ("CLIENT", "SETNAME", "a b"): "a name of 3 bytes: expected up to 64, no blanks",
    ("CLIENT", "SETNAME", "a" * 65): "a name of 65 bytes: expected up to 64",
    ("CONFIG", "SET", "a", "b"): "CONFIG: expected GET",
    ("GET", "k"): "unknown command 'GET': expected one of CL.THROTTLE, THROTTLE, DEL",
    ("MULTI",): "unknown command 'MULTI': there are no transactions, so use a pipeline without one",
    ("a\r\n+OK", "b"): "unknown command 'A\\r\\n+OK': expected",
}


@pytest.mark.parametrize("words", REPLIES)
def test_what_changes_nothing_is_said_to_be_done(words: tuple[str, ...]) -> None:
    assert say(client(), *words) == REPLIES[words]


@pytest.mark.parametrize("words", ERRORS)
def test_all_else_is_an_error_that_says_what_there_is(words: tuple[str, ...]) -> None:
    """In one line, whatever was said."""
    one = client()
    said = say(one, *words)
    assert said.startswith(b"-ERR " + ERRORS[words].encode())
    assert said.count(b"\n") == 1
    assert not one.is_over


def test_the_third_version_has_maps_and_nothing() -> None:
    one = client()
    say(one, "HELLO", "3")
    assert say(one, "CONFIG", "GET", "*") == b"%0\r\n"
    assert say(one, "COMMAND", "DOCS") == b"%0\r\n"
    assert say(one, "CLIENT", "GETNAME") == b"_\r\n"


def test_info_has_what_ioredis_waits_for_and_who_decided() -> None:
    one = client()
    one.source = "backup"
    lines = say(one, "INFO", "persistence").split(b"\r\n")
    assert b"loading:0" in lines
    assert b"sidegate_node:n1" in lines
    assert b"sidegate_last_source:backup" in lines


@pytest.mark.parametrize(
    "words", [["POST", "/", "HTTP/1.1"], ["HOST:", "x"], ["GET", "/", "HTTP/1.1"], ["post", "x"]]
)
def test_who_speaks_http_is_ended(words: list[str]) -> None:
    """A page may have a browser post commands here, one a line: it doesn't come to them."""
    one = client()
    assert say(one, *words) == b"-ERR this is no HTTP: --http has a port for it\r\n"
    assert (one.is_over, one.fault) == (True, "http")


def test_quit_is_the_last_word() -> None:
    one = client(SECRET)
    assert say(one, "QUIT") == b"+OK\r\n"
    assert (one.is_over, one.fault) == (True, "")
