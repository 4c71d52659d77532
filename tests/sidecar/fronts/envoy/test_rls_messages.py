"""The messages of the rate limit service, held against protobuf's own runtime."""

from contextlib import suppress
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st

from sidegate_sidecar.fronts.envoy import protobuf
from sidegate_sidecar.fronts.envoy.protobuf import ProtobufError
from sidegate_sidecar.fronts.envoy.rls_messages import (
    MAX_DESCRIPTORS,
    MAX_ENTRIES,
    MAX_FIELDS,
    Code,
    DescriptorStatus,
    RateLimitRequest,
    RateLimitResponse,
    read_request,
    write_response,
)
from tests.support.envoy.rls_proto import Request, Response

UINT32 = st.integers(0, 2**32 - 1)
ENTRIES = st.lists(st.tuples(st.text(max_size=9), st.text(max_size=200)), max_size=4)
DESCRIPTORS = st.lists(
    st.tuples(
        ENTRIES,
        st.none() | st.tuples(UINT32, st.integers(0, 9)),
        st.none() | st.integers(0, 2**64 - 1),
    ),
    max_size=4,
)
STATUSES = st.lists(
    st.builds(
        DescriptorStatus,
        st.sampled_from(Code),
        UINT32,
        st.sampled_from(["", "second", "year", "week"]),
        st.text(max_size=9),
        UINT32,
        st.integers(0, 2**34),
    ),
    max_size=4,
)


def as_theirs(domain: str, descriptors: list[Any], hits: int) -> Any:
    made = Request(domain=domain, hits_addend=hits)
    for entries, override, addend in descriptors:
        descriptor = made.descriptors.add()
        for key, value in entries:
            descriptor.entries.add(key=key, value=value)
        if override is not None:
            descriptor.limit.SetInParent()
            descriptor.limit.requests_per_unit, descriptor.limit.unit = override
        if addend is not None:
            descriptor.hits_addend.SetInParent()
            descriptor.hits_addend.value = addend
    return made


def same(ours: RateLimitRequest, theirs: Any) -> bool:
    """Tell whether two requests say the same."""
    found = [
        (
            tuple((entry.key, entry.value) for entry in it.entries),
            (it.limit.requests_per_unit, it.limit.unit % 2**32) if it.HasField("limit") else None,
            it.hits_addend.value if it.HasField("hits_addend") else None,
        )
        for it in theirs.descriptors
    ]
    return (ours.domain, list(map(tuple, ours.descriptors)), ours.hits_addend) == (
        theirs.domain,
        found,
        theirs.hits_addend,
    )


@given(st.text(max_size=9), DESCRIPTORS, UINT32)
def test_what_the_runtime_writes_is_read(domain: str, descriptors: list[Any], hits: int) -> None:
    """Every field, whatever is in it."""
    theirs = as_theirs(domain, descriptors, hits)
    assert same(read_request(theirs.SerializeToString()), theirs)


@given(st.text(max_size=9), DESCRIPTORS, st.data())
def test_of_bytes_that_are_spoiled_the_runtime_reads_no_more_than_we_do(
    domain: str, descriptors: list[Any], data: st.DataObject
) -> None:
    """What both can read is the same; what it can't read either is an error, or a text."""
    whole = as_theirs(domain, descriptors, 7).SerializeToString()
    at = data.draw(st.integers(0, len(whole)))
    spoiled = whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + data.draw(UINT32) % 4 :]
    agree(spoiled)


@given(st.binary(max_size=60))
@example(b"\x0a\x02\xff\xfe")
@example(b"\x12\x04\x12\x00\x12\x00")
@example(b"\x18" + b"\xff" * 10)
@example(b"\x0b\x0c")
def test_of_any_bytes_the_runtime_reads_the_same_or_nothing(data: bytes) -> None:
    """But for groups, which nothing has written for fifteen years."""
    agree(data)


def agree(data: bytes) -> None:
    ours = theirs = None
    with suppress(ProtobufError):
        ours = read_request(data)
    with suppress(DecodeError):
        theirs = Request.FromString(data)
    if ours is not None and theirs is not None:
        assert same(ours, theirs)


def test_what_is_no_text_is_one_all_the_same() -> None:
    """An error would have Envoy let the request through: anyone could send such a header."""
    data = b"\x0a\x01d\x12\x0a\x0a\x08\x0a\x01k\x12\x03a\xff\xfe"
    assert read_request(data).descriptors[0].entries == (("k", "a\xff\xfe"),)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"\x0a", "a number that doesn't end"),
        (b"\x0a\x05d", "field 1 ends after 1 of 5 bytes"),
        (b"\x00\x00", "field 0: expected a number from 1"),
        (b"\x0b", "field 1 of type 3: expected 0, 1, 2 or 5"),
        (
            b"\x12\x00" * (MAX_DESCRIPTORS + 1),
            "more descriptors than expected, which is at most 64",
        ),
        (b"\x12\x82\x01" + b"\x0a\x00" * (MAX_ENTRIES + 1), "more entries in a descriptor than"),
    ],
)
def test_what_is_no_request_is_told(data: bytes, fault: str) -> None:
    with pytest.raises(ProtobufError, match=fault):
        read_request(data)


def test_the_most_there_may_be_is_read() -> None:
    """The bounds themselves are allowed, and fields that we don't know."""
    data = b"\x12\x80\x01" + b"\x0a\x00" * MAX_ENTRIES + b"\x12\x00" * (MAX_DESCRIPTORS - 1)
    request = read_request(data + b"\x7d1234\x79" + b"12345678")
    assert len(request.descriptors) == MAX_DESCRIPTORS
    assert len(request.descriptors[0].entries) == MAX_ENTRIES


@given(
    st.sampled_from(Code),
    STATUSES,
    st.lists(st.tuples(st.sampled_from([b"ratelimit", b"retry-after"]), st.just(b"1")), max_size=3),
    st.binary(max_size=300),
    st.none() | st.lists(st.integers(0, 63), max_size=5),
)
def test_what_we_write_the_runtime_reads(
    code: Code,
    statuses: list[DescriptorStatus],
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    quotas: list[int] | None,
) -> None:
    """Every field; a status without a unit tells of no limit."""
    response = RateLimitResponse(code, statuses, headers, body, quotas)
    theirs = Response.FromString(write_response(response))
    assert (theirs.overall_code, theirs.raw_body) == (code, body)
    assert [(it.key.encode(), it.value.encode()) for it in theirs.response_headers_to_add] == (
        headers
    )
    for ours, status in zip(statuses, theirs.statuses, strict=True):
        assert (status.code, status.limit_remaining) == (ours.code, ours.remaining)
        assert status.HasField("current_limit") == bool(ours.unit)
        if ours.unit:
            limit = status.current_limit
            assert (limit.requests_per_unit, limit.name) == (ours.requests_per_unit, ours.name)
            assert limit.unit == {"second": 1, "year": 6, "week": 7}[ours.unit]
            assert status.duration_until_reset.seconds == ours.reset
    assert theirs.HasField("dynamic_metadata") == (quotas is not None)
    if quotas is not None:
        assert theirs.dynamic_metadata["quotaModeEnabled"] is True
        assert list(theirs.dynamic_metadata["quotaModeViolations"]) == quotas


def test_a_request_of_too_many_fields_is_refused_wherever_they_stand() -> None:
    """Also those that mean nothing: each takes time of the loop."""
    nothing = protobuf.whole(9, 1)
    read_request(nothing * MAX_FIELDS)
    of_descriptors = [protobuf.message(2, nothing * (MAX_FIELDS // 64))] * 64
    for data in (nothing * (MAX_FIELDS + 1), b"".join(of_descriptors)):
        with pytest.raises(ProtobufError, match="more fields than expected, which is at most 4,0"):
            read_request(data)
