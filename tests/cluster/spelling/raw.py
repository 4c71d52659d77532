"""Requests written by hand, byte by byte, and what comes back."""

import re
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.cluster.spelling.frameworks.views import SEEN

PATIENCE: Final = 20.0  # seconds for one answer, of which most take a millisecond
AT_ONCE: Final = 8  # connections: enough to keep two cores busy

_SEEN: Final = re.compile(rf"(?i)^{SEEN}: *(\w+)|seen by (\w+)".encode(), re.MULTILINE)
_POLICY: Final = re.compile(rb"(?im)^ratelimit-policy: *(.*)$")
_RULE: Final = re.compile(rb'"(\w+)')
_LENGTH: Final = re.compile(rb"(?im)^content-length: *(\d+)")


@dataclass(frozen=True)
class Answer:
    """What came back: a status (0 if the server just hung up), a view, and its rules."""

    status: int
    view: str | None
    rules: tuple[str, ...]

    @property
    def rule(self) -> str | None:
        """The first of its rules."""
        return self.rules[0] if self.rules else None


def ask(port: int, request: bytes) -> Answer:
    """Send bytes as they are on a connection of their own, and read the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        return parse(_read(connection, bodiless=request.startswith(b"HEAD ")))


def ask_all(port: int, requests: Iterable[bytes]) -> list[Answer]:
    """Send requests, several at once, and return the answers in their order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(partial(ask, port), requests))


def parse(data: bytes) -> Answer:
    """Return what an answer says."""
    head, _, _ = data.partition(b"\r\n\r\n")
    seen, policies = _SEEN.search(data), b", ".join(_POLICY.findall(head))
    return Answer(
        status=int(data.split(maxsplit=2)[1]) if data.startswith(b"HTTP/") else 0,
        view=(seen[1] or seen[2]).decode() if seen else None,
        rules=tuple(name.decode() for name in _RULE.findall(policies)),
    )


def _read(connection: socket.socket, *, bodiless: bool) -> bytes:
    data = b""
    try:
        while not _is_whole(data, bodiless=bodiless) and (more := connection.recv(65_536)):
            data += more
    except ConnectionError:
        pass  # it said all it had to say
    return data


def _is_whole(data: bytes, *, bodiless: bool) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    if bodiless or head.startswith(b"HTTP/1.1 101"):
        return True
    length = _LENGTH.search(head)
    return length is not None and len(body) >= int(length[1])
