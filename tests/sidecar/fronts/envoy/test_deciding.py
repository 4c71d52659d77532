"""What becomes of a call: its code, its statuses, its fields, and what it costs."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.sidecar.fronts.envoy.limits import serving
from tests.support.envoy.rls_client import OK, OVER
from tests.support.envoy.rls_proto import Entries, request

ALICE: Entries = [("user", "alice")]
BOB: Entries = [("user", "bob")]
ALL: Entries = [("all", "")]
UINT32 = 2**32 - 1


def fields_of(response: Any) -> dict[str, str]:
    """Return the fields that a response adds; each comes once."""
    fields = {it.key: it.value for it in response.response_headers_to_add}
    assert len(fields) == len(response.response_headers_to_add)
    return fields


def left_of(response: Any) -> list[int]:
    return [it.limit_remaining for it in response.statuses]


async def test_each_descriptor_has_a_status_in_its_place(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    """Of those without a limit it is OK; with one it says what is left, and for how long."""
    _, client = await serving(stack, tmp_path)
    response = await client.call(request("edge", [("x", "y")], ALICE, [("free", "")], ALL))
    assert response.overall_code == OK
    assert [it.code for it in response.statuses] == [OK] * 4
    nothing, user, free, everyone = response.statuses
    assert not nothing.HasField("current_limit")
    assert not free.HasField("current_limit")
    assert (free.limit_remaining, nothing.limit_remaining) == (UINT32, 0)
    limit = user.current_limit
    assert (limit.name, limit.requests_per_unit, limit.unit) == ("by-user", 3, 3)
    assert (user.limit_remaining, user.duration_until_reset.seconds) == (2, 1_200)
    assert (everyone.current_limit.unit, everyone.limit_remaining) == (4, 99)
    assert fields_of(response) == {
        "ratelimit-policy": '"user";q=3;w=3600, "all";q=100;w=86400',
        "ratelimit": '"user";r=2;t=1200, "all";r=99;t=864',
    }


async def test_a_call_that_is_refused_costs_nothing(stack: AsyncExitStack, tmp_path: Path) -> None:
    """What its other limits have charged is given back: one client doesn't use up all others'."""
    _, client = await serving(stack, tmp_path)
    for _ in range(3):
        assert (await client.call(request("edge", ALICE, ALL))).overall_code == OK
    for _ in range(5):
        response = await client.call(request("edge", ALICE, ALL))
        assert response.overall_code == OVER
        assert [it.code for it in response.statuses] == [OVER, OK]
    assert left_of(await client.call(request("edge", BOB, ALL))) == [2, 96]


async def test_a_refusal_says_when_to_come_back(stack: AsyncExitStack, tmp_path: Path) -> None:
    """In fields and a body, as the middleware says it."""
    _, client = await serving(stack, tmp_path)
    await client.call(request("edge", ALICE, hits=3))
    response = await client.call(request("edge", ALICE))
    assert response.overall_code == OVER
    fields = fields_of(response)
    assert 1_190 <= int(fields["retry-after"]) <= 1_200
    assert fields["content-type"] == "application/problem+json"
    assert fields["cache-control"] == "no-store"
    assert "content-length" not in fields
    assert fields["ratelimit"] == f'"user";r=0;t={fields["retry-after"]}'
    (status,) = response.statuses
    assert status.duration_until_reset.seconds == int(fields["retry-after"])
    assert b'"violated-policies":["user"]' in response.raw_body
    assert b"The limit is 3/hour" in response.raw_body


@pytest.mark.parametrize(
    ("hits", "each", "left"),
    [(0, None, 99), (7, None, 93), (7, [2], 98), (7, [None], 93), (7, [0], 100), (0, [100], 0)],
)
async def test_hits_of_the_descriptor_come_before_those_of_the_call(
    stack: AsyncExitStack, tmp_path: Path, hits: int, each: list[int | None], left: int
) -> None:
    """None at all are one; those of a descriptor may be 0, which only looks."""
    _, client = await serving(stack, tmp_path)
    response = await client.call(request("edge", ALL, hits=hits, each=each))
    assert (response.overall_code, left_of(response)) == (OK, [left])


@pytest.mark.parametrize("hits", [101, UINT32, 2**64 - 1])
async def test_more_hits_than_ever_fit_are_refused_and_cost_nothing(
    stack: AsyncExitStack, tmp_path: Path, hits: int
) -> None:
    """There is no time after which to come back."""
    _, client = await serving(stack, tmp_path)
    response = await client.call(request("edge", ALL, each=[hits]))
    assert response.overall_code == OVER
    assert not {"retry-after", "sidegate-source"} & fields_of(response).keys()
    assert b"never fits" in response.raw_body
    assert left_of(await client.call(request("edge", ALL))) == [99]


async def test_who_only_looks_is_told_whether_the_next_would_pass(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    """A bucket with nothing in it is over the limit."""
    _, client = await serving(stack, tmp_path)
    await client.call(request("edge", ALICE, hits=2))
    assert (await client.call(request("edge", ALICE, each=[0]))).overall_code == OK
    await client.call(request("edge", ALICE))
    response = await client.call(request("edge", ALICE, each=[0]))
    assert response.overall_code == OVER
    assert 1_190 <= int(fields_of(response)["retry-after"]) <= 1_200
    banned = await client.call(request("edge", [("banned", "")], each=[0]))
    assert banned.overall_code == OVER


async def test_nothing_passes_a_limit_of_none(stack: AsyncExitStack, tmp_path: Path) -> None:
    """However many hits."""
    _, client = await serving(stack, tmp_path)
    for hits in (1, 5):
        response = await client.call(request("edge", [("banned", "x")], hits=hits))
        assert response.overall_code == OVER
        assert "retry-after" not in fields_of(response)


async def test_a_shadow_never_refuses_and_says_so(stack: AsyncExitStack, tmp_path: Path) -> None:
    """Beside a limit that does it is counted and given back as any other."""
    _, client = await serving(stack, tmp_path)
    tried: Entries = [("tried", "x")]
    assert "sidegate-shadow" not in fields_of(await client.call(request("edge", tried)))
    response = await client.call(request("edge", tried, ALICE))
    assert (response.overall_code, response.statuses[0].code) == (OK, OK)
    assert fields_of(response)["sidegate-shadow"] == "denied"
    await client.call(request("edge", ALICE, hits=2))
    assert (await client.call(request("edge", tried, ALICE))).overall_code == OVER


async def test_quotas_refuse_when_all_of_them_are_used_up(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    """Until then metadata tells which are."""
    _, client = await serving(stack, tmp_path)
    both = request("edge", [("soft", "x")], ALICE, [("softer", "x")])
    assert (await client.call(both)).overall_code == OK
    second = await client.call(both)
    assert (second.overall_code, second.statuses[0].code) == (OK, OK)
    assert list(second.dynamic_metadata["quotaModeViolations"]) == [0]
    third = await client.call(both)
    assert third.overall_code == OVER
    assert [it.code for it in third.statuses] == [OVER, OK, OVER]
    assert list(third.dynamic_metadata["quotaModeViolations"]) == [0, 2]
    assert not (await client.call(request("edge", ALICE))).HasField("dynamic_metadata")


async def test_a_limit_takes_the_place_of_another_by_name(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    """Where both are in one call; the one that it replaces isn't charged."""
    _, client = await serving(stack, tmp_path)
    for _ in range(5):
        response = await client.call(request("edge", ALICE, [("vip", "x")]))
        assert response.overall_code == OK
        assert not response.statuses[0].HasField("current_limit")
    assert (await client.call(request("edge", ALICE, [("vip", "x")]))).overall_code == OVER
    assert left_of(await client.call(request("edge", ALICE))) == [2]


async def test_a_request_may_bring_a_limit_along(stack: AsyncExitStack, tmp_path: Path) -> None:
    """It comes before that of the file, also of a shadow, and has buckets of its own."""
    _, client = await serving(stack, tmp_path)
    asked = request("edge", [("tried", "x")])
    asked.descriptors[0].limit.requests_per_unit = 2
    asked.descriptors[0].limit.unit = 2
    first, second, third = [await client.call(asked) for _ in range(3)]
    assert [first.overall_code, second.overall_code, third.overall_code] == [OK, OK, OVER]
    limit = first.statuses[0].current_limit
    assert (limit.requests_per_unit, limit.unit, limit.name) == (2, 2, "")
    assert fields_of(first)["ratelimit-policy"] == '"tried";q=2;w=60'


async def test_a_domain_that_no_file_has_limits_nothing(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    """Not even by a limit that the request brings along."""
    _, client = await serving(stack, tmp_path)
    asked = request("other", ALICE)
    asked.descriptors[0].limit.unit = 1
    for _ in range(3):
        response = await client.call(asked)
        assert (response.overall_code, left_of(response)) == (OK, [0])
        assert not response.response_headers_to_add


async def test_all_descriptors_of_a_call_are_one_frame(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    """And the same one twice is charged twice."""
    node, client = await serving(stack, tmp_path)
    before = node.node.asked
    response = await client.call(request("edge", ALICE, ALL, BOB, ALICE, [("x", "y")]))
    assert node.node.asked == before + 1
    assert left_of(response) == [2, 99, 2, 1, 0]


async def test_limits_that_requests_bring_are_no_changes(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    """Two routes may bring two for one descriptor: what is spent by one isn't by the other."""
    _, client = await serving(stack, tmp_path)

    async def left(requests: int, unit: int) -> list[int]:
        call = request("edge", [("generic_key", "slow")])
        call.descriptors[0].limit.requests_per_unit = requests
        call.descriptors[0].limit.unit = unit
        return left_of(await client.call(call))

    assert [await left(2, 3) for _ in range(3)] == [[1], [0], [0]]  # an hour
    assert [await left(100, 4) for _ in range(2)] == [[99], [98]]  # a day
    assert await left(2, 3) == [0]
