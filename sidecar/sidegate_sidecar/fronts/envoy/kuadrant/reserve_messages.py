"""The messages of Reserve and Commit: requests read, responses written. Pure.

Numbers and names are those of Kuadrant's kuadrantrls.proto. The first two fields of a request, its
domain and its descriptors, are those of Envoy's, which is read by what reads that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidegate.protocol.holds.reservation_messages import MAX_AMOUNT
from sidegate_sidecar.fronts.envoy import protobuf
from sidegate_sidecar.fronts.envoy.protobuf import FieldReader
from sidegate_sidecar.fronts.envoy.rls_messages import (
    MAX_FIELDS,
    Code,
    RateLimitRequest,
    read_request,
)

if TYPE_CHECKING:
    from sidegate_sidecar.fronts.envoy.protobuf import Value


class ReserveCall(NamedTuple):
    """What is to be held; `ttl` in ms, 0 where it isn't said."""

    request: RateLimitRequest
    amount: int
    ttl: int


class CommitCall(NamedTuple):
    """What was used; without a `reservation` it is charged."""

    request: RateLimitRequest
    reservation: str
    actual: int


def read_reserve(data: bytes) -> ReserveCall:
    """Return the call that some bytes are; ProtobufError if they are none."""
    request, rest = _request_and_rest(data)
    ttl = rest.get(4, b"")
    return ReserveCall(request, _amount(rest.get(3)), _ms(ttl) if isinstance(ttl, bytes) else 0)


def read_commit(data: bytes) -> CommitCall:
    """Return the call that some bytes are; ProtobufError if they are none."""
    request, rest = _request_and_rest(data)
    name = rest.get(3, b"")
    text = protobuf.text(name) if isinstance(name, bytes) else ""
    return CommitCall(request, text, _amount(rest.get(4)))


def _request_and_rest(data: bytes) -> tuple[RateLimitRequest, dict[int, Value]]:
    reader = FieldReader(MAX_FIELDS)
    rest = {number: value for number, value in reader.fields(data) if number > 2}
    request = read_request(data)
    return RateLimitRequest(request.domain, request.descriptors), rest


def _amount(value: Value | None) -> int:
    return min(value, MAX_AMOUNT) if isinstance(value, int) else 0


def _ms(duration: bytes) -> int:
    """Return a google.protobuf.Duration in ms; one below 0 is none."""
    numbers = {
        number: value for number, value in protobuf.fields(duration) if isinstance(value, int)
    }
    seconds, nanos = numbers.get(1, 0), numbers.get(2, 0)
    return 0 if seconds >> 63 or nanos >> 63 else seconds * 1000 + nanos // 10**6


def write_reserve(code: Code, reservation: str) -> bytes:
    """Return the bytes of the answer to a Reserve."""
    return protobuf.whole(1, code) + protobuf.octets(2, reservation.encode())


def write_commit(*, released: bool) -> bytes:
    """Return the bytes of the answer to a Commit."""
    return protobuf.whole(1, int(released))
