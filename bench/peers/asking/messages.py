"""What each peer is sent for a check, and what it answers. Pure.

Written by hand, for the messages that are needed here: a request is a few bytes around the key, and
an answer is looked at only as far as it says whether the check is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sidegate_sidecar.fronts.envoy import protobuf

if TYPE_CHECKING:
    from collections.abc import Iterator

DOMAIN: Final = b"bench"
GUBERNATOR: Final = "/pb.gubernator.V1/GetRateLimits"
RATELIMIT: Final = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
GLOBAL: Final = 2  # gubernator's behaviour for keys that many ask for

_STATUS: Final = 0x08  # the first field of an answer of gubernator, unless it is UNDER_LIMIT
_LIMIT: Final = 0x10  # the second one, which all have that are no error
_OK: Final = b"\x08\x01"  # the first field of a status of ratelimit
_OVER: Final = b"\x08\x02"
_RESP_LINES: Final = 6  # of an answer to THROTTLE: how many follow, and five numbers


class PeerError(Exception):
    """A peer gave no answer, or none that says whether the check is allowed."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many tokens in so many seconds, all of them at once if they are there."""

    tokens: int
    seconds: int


class GubernatorCheck:
    """Checks of gubernator under one limit: several are one GetRateLimits."""

    def __init__(self, rate: Rate, behavior: int = 0, hits: int = 1) -> None:
        self._before = protobuf.octets(1, DOMAIN)
        self._after = (
            protobuf.whole(3, hits)
            + protobuf.whole(4, rate.tokens)
            + protobuf.whole(5, rate.seconds * 1_000)
            + protobuf.whole(7, behavior)
        )

    def request(self, keys: list[str]) -> bytes:
        """Return the message that asks about all of these."""
        before, after = self._before, self._after
        return b"".join(
            protobuf.message(1, before + protobuf.octets(2, key.encode()) + after) for key in keys
        )

    def answers(self, data: bytes) -> list[bool | PeerError]:
        """Return whether each was allowed, or the error with its own words."""
        return [_is_under_limit(one) for one in _messages(data, 1)]

    def owners(self, data: bytes) -> list[str]:
        """Return the address of the node that each was forwarded to, "" if it was not."""
        return [_owner(one) for one in _messages(data, 1)]


class RatelimitCheck:
    """Checks of envoyproxy/ratelimit: several are one ShouldRateLimit, with many descriptors."""

    def request(self, keys: list[str]) -> bytes:
        """Return the message that asks about all of these."""
        entry = protobuf.octets(1, b"user")
        descriptors = (
            protobuf.message(2, protobuf.message(1, entry + protobuf.octets(2, key.encode())))
            for key in keys
        )
        return protobuf.octets(1, DOMAIN) + b"".join(descriptors)

    def answers(self, data: bytes) -> list[bool | PeerError]:
        """Return whether each was allowed, or an error that says neither."""
        return [_is_ok(one) for one in _messages(data, 2)]


class ThrottlecrabCheck:
    """Checks of throttlecrab under one limit, as commands of RESP: several are a pipeline."""

    def __init__(self, rate: Rate) -> None:
        numbers = [b"%d" % it for it in (rate.tokens, rate.tokens, rate.seconds)]
        self._before = b"*5\r\n$8\r\nTHROTTLE\r\n$"
        self._after = b"".join(b"$%d\r\n%b\r\n" % (len(it), it) for it in numbers)

    def request(self, keys: list[str]) -> bytes:
        """Return the commands that ask about all of these."""
        before, after = self._before, self._after
        named = (key.encode() for key in keys)
        return b"".join(b"%b%d\r\n%b\r\n%b" % (before, len(it), it, after) for it in named)

    def take(self, received: bytes) -> tuple[list[bool], bytes]:
        """Return what has been answered so far, and the bytes that are no whole answer yet."""
        *lines, left = received.split(b"\r\n")
        answers: list[bool] = []
        at = 0
        while at < len(lines):
            if lines[at] != b"*5":
                raise PeerError(f"throttlecrab answered {lines[at][:100]!r}")
            if at + _RESP_LINES > len(lines):
                break
            answers.append(lines[at + 1] == b":1")
            at += _RESP_LINES
        return answers, b"\r\n".join([*lines[at:], left])


class RateguardCheck:
    """Checks of rateguard's sidecar, as requests of HTTP/1.1 on one connection that stays open."""

    def __init__(self, host: str) -> None:
        self._head = (
            f"POST /v1/check HTTP/1.1\r\nHost: {host}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()

    def request(self, keys: list[str]) -> bytes:
        """Return the requests that ask about all of these, whose names need no quoting in JSON."""
        head = self._head
        bodies = (b'{"key":"%b"}' % key.encode() for key in keys)
        return b"".join(b"%b%d\r\n\r\n%b" % (head, len(it), it) for it in bodies)

    def take(self, received: bytes) -> tuple[list[bool], bytes]:
        """Return what has been answered so far, and the bytes that are no whole answer yet."""
        answers: list[bool] = []
        at = 0
        while (end := received.find(b"\r\n\r\n", at)) >= 0:
            head = received[at:end].lower()
            body, size = end + 4, _content_length(head)
            if body + size > len(received):
                break
            said = received[body : body + size]
            if not head.startswith(b"http/1.1 200 ") or not said.startswith(b'{"allowed":'):
                raise PeerError(f"rateguard answered {received[at : body + size][:200]!r}")
            answers.append(said.startswith(b'{"allowed":true'))
            at = body + size
        return answers, received[at:]


def _content_length(head: bytes) -> int:
    _, found, after = head.partition(b"content-length: ")
    length = after.partition(b"\r\n")[0]
    if not found or not length.isdigit():
        raise PeerError(f"an answer without a length: {head[:200]!r}")
    return int(length)


def _messages(data: bytes, number: int) -> Iterator[bytes]:
    for found, value in protobuf.fields(data):
        if found == number and isinstance(value, bytes):
            yield value


def _is_under_limit(answer: bytes) -> bool | PeerError:
    if answer[:1] and answer[0] in {_STATUS, _LIMIT}:
        return answer[0] == _LIMIT
    return PeerError(f"gubernator answered {protobuf.text(answer)[:200]!r}")


def _is_ok(status: bytes) -> bool | PeerError:
    if status.startswith((_OK, _OVER)):
        return status.startswith(_OK)
    return PeerError(f"ratelimit answered {status[:100]!r}")


def _owner(answer: bytes) -> str:
    for entry in _messages(answer, 6):
        pair = dict(protobuf.fields(entry))
        if pair.get(1) == b"owner" and isinstance(value := pair.get(2, b""), bytes):
            return value.decode()
    return ""
