"""The messages of Envoy's rate limit service, v3: a request read, a response written. Pure.

Numbers and names are those of envoy/service/ratelimit/v3/rls.proto.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from sidegate_sidecar.fronts.envoy import protobuf
from sidegate_sidecar.fronts.envoy.protobuf import FieldReader, ProtobufError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_DESCRIPTORS: Final = 64  # in a call: as many checks as an app may ask together
MAX_ENTRIES: Final = 64  # in a descriptor: Envoy's configuration decides, and has a few
MAX_FIELDS: Final = 4_096  # of a request in all, 20 entries in each descriptor: 5 ms to read
MAX_UINT32: Final = 2**32 - 1
_OF_SECONDS: Final = 315_576_000_000  # ten thousand years: more is no Duration


class Code(IntEnum):
    """What becomes of a request, or of one of its descriptors."""

    OK = 1
    OVER_LIMIT = 2


OVERRIDE_UNITS: Final = {1: "second", 2: "minute", 3: "hour", 4: "day", 5: "month", 6: "year"}
"""Of a limit that a request brings along."""

STATUS_UNITS: Final = {name: number for number, name in OVERRIDE_UNITS.items()} | {"week": 7}
"""Of a limit that a response tells of."""


class LimitOverride(NamedTuple):
    """A limit that a request brings along for one descriptor."""

    requests_per_unit: int
    unit: int


class RequestDescriptor(NamedTuple):
    """One list of entries to be limited. `hits` is None where the whole request's count."""

    entries: tuple[tuple[str, str], ...]
    override: LimitOverride | None = None
    hits: int | None = None


class RateLimitRequest(NamedTuple):
    """What is asked in one call."""

    domain: str
    descriptors: tuple[RequestDescriptor, ...]
    hits_addend: int = 0


class DescriptorStatus(NamedTuple):
    """What is said of one descriptor; without a unit, that there is no limit for it.

    `reset` is in seconds.
    """

    code: Code
    requests_per_unit: int = 0
    unit: str = ""
    name: str = ""
    remaining: int = 0
    reset: int = 0


class RateLimitResponse(NamedTuple):
    """What is said of a call; of `quotas`, None without any, the positions of those used up."""

    code: Code
    statuses: Sequence[DescriptorStatus]
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""
    quotas: Sequence[int] | None = None


# --- reading


def read_request(data: bytes) -> RateLimitRequest:
    """Return the request that some bytes are; ProtobufError if they are none, or one too large."""
    domain, hits = "", 0
    descriptors: list[RequestDescriptor] = []
    reader = FieldReader(MAX_FIELDS)
    for number, value in reader.fields(data):
        if isinstance(value, bytes):
            if number == 1:
                domain = protobuf.text(value)
            elif number == 2:
                _make_room(descriptors, "descriptors", MAX_DESCRIPTORS)
                descriptors.append(_descriptor(reader, value))
        elif number == 3:
            hits = value & MAX_UINT32
    return RateLimitRequest(domain, tuple(descriptors), hits)


def _descriptor(reader: FieldReader, data: bytes) -> RequestDescriptor:
    entries: list[tuple[str, str]] = []
    parts: dict[int, bytes] = {}  # what stands in several parts is one message
    for number, value in reader.fields(data):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            _make_room(entries, "entries in a descriptor", MAX_ENTRIES)
            entries.append(_entry(reader, value))
        elif number in {2, 3}:
            parts[number] = parts.get(number, b"") + value
    override = _override(reader, parts[2]) if 2 in parts else None
    hits = _numbers(reader, parts[3]).get(1, 0) if 3 in parts else None
    return RequestDescriptor(tuple(entries), override, hits)


def _entry(reader: FieldReader, data: bytes) -> tuple[str, str]:
    texts = {
        number: protobuf.text(value)
        for number, value in reader.fields(data)
        if isinstance(value, bytes)
    }
    return texts.get(1, ""), texts.get(2, "")


def _override(reader: FieldReader, data: bytes) -> LimitOverride:
    numbers = _numbers(reader, data)
    return LimitOverride(numbers.get(1, 0) & MAX_UINT32, numbers.get(2, 0) & MAX_UINT32)


def _numbers(reader: FieldReader, data: bytes) -> dict[int, int]:
    return {number: it for number, it in reader.fields(data) if isinstance(it, int)}


def _make_room(found: Sequence[object], what: str, most: int) -> None:
    if len(found) >= most:
        raise ProtobufError(f"more {what} than expected, which is at most {most}")


# --- writing


def write_response(response: RateLimitResponse) -> bytes:
    """Return the bytes of a response."""
    return b"".join(
        (
            protobuf.whole(1, response.code),
            *(protobuf.message(2, _status(status)) for status in response.statuses),
            *(protobuf.message(3, _header(name, value)) for name, value in response.headers),
            protobuf.octets(5, response.body),
            b"" if response.quotas is None else protobuf.message(6, _metadata(response.quotas)),
        )
    )


def _status(status: DescriptorStatus) -> bytes:
    data = protobuf.whole(1, status.code)
    if status.unit:
        limit = (
            protobuf.whole(1, status.requests_per_unit)
            + protobuf.whole(2, STATUS_UNITS[status.unit])
            + protobuf.octets(3, status.name.encode())
        )
        data += protobuf.message(2, limit)
    data += protobuf.whole(3, min(status.remaining, MAX_UINT32))
    if status.unit:
        data += protobuf.message(4, protobuf.whole(1, min(status.reset, _OF_SECONDS)))
    return data


def _header(name: bytes, value: bytes) -> bytes:
    return protobuf.octets(1, name) + protobuf.octets(2, value)


def _metadata(quotas: Iterable[int]) -> bytes:
    """Return a google.protobuf.Struct as that project's own service gives one."""
    positions = b"".join(protobuf.message(1, protobuf.double(2, at)) for at in quotas)
    return _member(b"quotaModeEnabled", protobuf.whole(4, 1)) + _member(
        b"quotaModeViolations", protobuf.message(6, positions)
    )


def _member(name: bytes, value: bytes) -> bytes:
    return protobuf.message(1, protobuf.octets(1, name) + protobuf.message(2, value))
