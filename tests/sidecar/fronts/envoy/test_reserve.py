"""Kuadrant's Reserve and Commit: asked as its gateway does, with protobuf's own messages."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.protocol.holds.reservation_messages import Commit, Reserve, Reserved
from sidegate_sidecar.fronts.envoy.kuadrant.reserve_messages import read_commit, read_reserve
from sidegate_sidecar.fronts.envoy.protobuf import ProtobufError
from sidegate_sidecar.process import Process
from tests.sidecar.fronts.envoy.limits import serving
from tests.support.envoy.rls_client import OK, OVER, RlsClient
from tests.support.envoy.rls_proto import (
    CommitRequest,
    CommitResponse,
    Entries,
    ReserveRequest,
    ReserveResponse,
)
from tests.support.in_process.cluster import eventually

SERVICE = "/kuadrant.service.ratelimit.v1.RateLimitService/"
TOKENS = """
domain: llm
descriptors:
  - key: user
    rate_limit: {unit: day, requests_per_unit: 20000}
  - key: model
    rate_limit: {unit: day, requests_per_unit: 50000}
  - {key: tried, shadow_mode: true, rate_limit: {unit: day, requests_per_unit: 10}}
"""
ALICE: Entries = [("user", "alice")]
MODEL: Entries = [("model", "large")]


def with_descriptors(made: Any, *descriptors: Entries) -> Any:
    """Return a request about these descriptors."""
    for entries in descriptors:
        descriptor = made.descriptors.add()
        for key, value in entries:
            descriptor.entries.add(key=key, value=value)
    return made


async def reserve(client: RlsClient, amount: int, *descriptors: Entries, ttl: int = 60) -> Any:
    """Reserve so many tokens."""
    asked = with_descriptors(ReserveRequest(domain="llm", amount=amount), *descriptors)
    asked.ttl.seconds = ttl
    data = await client.raw(asked.SerializeToString(), method=f"{SERVICE}Reserve")
    return ReserveResponse.FromString(data)


async def commit(client: RlsClient, number: str, actual: int, *descriptors: Entries) -> bool:
    """Commit; was it known?"""
    asked = CommitRequest(domain="llm", reservation_id=number, actual_amount=actual)
    data = with_descriptors(asked, *descriptors).SerializeToString()
    answer = await client.raw(data, method=f"{SERVICE}Commit")
    return bool(CommitResponse.FromString(answer).reservation_released)


def spent(node: Process) -> list[int]:
    """Return what all keys have spent, in order."""
    buckets, now = node.node.buckets, node.clock()
    keys = {key for part in buckets.export(now) for key, _, _ in part}
    held = [buckets.held(key, now) for key in keys]
    return sorted(
        round(debt * it.scale / it.interval) for found in held for it, debt in found if debt
    )


async def test_what_is_reserved_is_committed_once(stack: AsyncExitStack, tmp_path: Path) -> None:
    node, client = await serving(stack, tmp_path, TOKENS)
    made = await reserve(client, 5_000, ALICE)
    assert made.code == OK
    assert spent(node) == [5_000]
    for actual in (1_200, 7):
        assert await commit(client, made.reservation_id, actual, ALICE)
        assert spent(node) == [1_200]


async def test_of_several_descriptors_all_are_held_or_none(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    node, client = await serving(stack, tmp_path, TOKENS)
    made = await reserve(client, 15_000, ALICE, MODEL)
    assert spent(node) == [15_000, 15_000]
    over = await reserve(client, 15_000, MODEL, ALICE)
    assert (over.code, over.reservation_id) == (OVER, "")
    assert spent(node) == [15_000, 15_000]
    assert await commit(client, made.reservation_id, 1_200, ALICE, MODEL)
    assert spent(node) == [1_200, 1_200]


async def test_what_isnt_known_is_charged(stack: AsyncExitStack, tmp_path: Path) -> None:
    """As a report is: without a reservation, and beyond what is left."""
    node, client = await serving(stack, tmp_path, TOKENS)
    assert not await commit(client, "", 25_000, ALICE)
    assert spent(node) == [25_000]
    assert (await reserve(client, 1, ALICE)).code == OVER
    assert not await commit(client, "", 5_000, ALICE)
    assert spent(node) == [30_000]


async def test_whose_call_is_given_up_holds_nothing(
    stack: AsyncExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what was held for it by then nor what was just being held: a gateway is impatient."""
    node, _ = await serving(stack, tmp_path, TOKENS)
    answers = node.sessions.reservations
    answer, go_on, seen = answers.answer, asyncio.Event(), list[str]()

    async def slow(message: Reserve | Commit) -> Reserved:
        found = await answer(message)
        if isinstance(message, Reserve):
            seen.append(message.key)
            if len(seen) == 2:
                await go_on.wait()
        return found

    monkeypatch.setattr(answers, "answer", slow)
    asked = with_descriptors(ReserveRequest(domain="llm", amount=5_000), ALICE, MODEL)
    assert node.rls is not None
    nobody: Any = None
    call = asyncio.create_task(node.rls._holds.reserve(asked.SerializeToString(), nobody))
    await eventually(lambda: len(seen) == 2)
    assert spent(node) == [5_000, 5_000]
    call.cancel()  # as gRPC does when the other side has hung up
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert spent(node) == []


async def test_an_amount_of_nothing_only_looks(stack: AsyncExitStack, tmp_path: Path) -> None:
    node, client = await serving(stack, tmp_path, TOKENS)
    looked = await reserve(client, 0, ALICE)
    assert (looked.code, looked.reservation_id, spent(node)) == (OK, "", [])
    await reserve(client, 20_000, ALICE)
    assert (await reserve(client, 0, ALICE)).code == OVER


async def test_shadow_refuses_nothing_and_what_has_no_limit_holds_nothing(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    _, client = await serving(stack, tmp_path, TOKENS)
    assert [(await reserve(client, 10, [("tried", "x")])).code for _ in range(2)] == [OK, OK]
    made = await reserve(client, 10, [("other", "x")])
    assert (made.code, made.reservation_id) == (OK, "")


@pytest.mark.parametrize("method", ["Reserve", "Commit"])
async def test_what_makes_no_sense_is_an_invalid_argument(
    stack: AsyncExitStack, tmp_path: Path, method: str
) -> None:
    _, client = await serving(stack, tmp_path, TOKENS)
    for data in (b"\xff", b"", CommitRequest(domain="llm").SerializeToString()):
        code = await client.code_of(data, method=f"{SERVICE}{method}")
        assert code == grpc.StatusCode.INVALID_ARGUMENT


async def test_the_secret_has_to_be_shown(stack: AsyncExitStack, tmp_path: Path) -> None:
    _, client = await serving(stack, tmp_path, TOKENS, secret=b"a good secret for tests")
    for method in ("Reserve", "Commit"):
        code = await client.code_of(b"", method=f"{SERVICE}{method}")
        assert code == grpc.StatusCode.UNAUTHENTICATED


@given(st.binary(max_size=300))
def test_any_bytes_are_a_call_or_none(data: bytes) -> None:
    for read in (read_reserve, read_commit):
        try:
            read(data)
        except ProtobufError:
            continue
