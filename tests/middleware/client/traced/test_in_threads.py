"""A BlockingClient that traces: as a Client."""

import asyncio
import time

import pytest
from opentelemetry import context
from opentelemetry.trace import StatusCode

from sidegate.buckets.limits import parse_limits
from sidegate.client.blocking import BlockingClient
from sidegate.errors import CheckError
from sidegate.link.blocking.exchange import Question
from sidegate.protocol.traces import parse_traceparent
from sidegate_sidecar.process import Process
from tests.middleware.client.traced.wire import wire
from tests.support.in_process.cluster import GENEROUS, cluster
from tests.support.telemetry import sdk


def blocking(sidecar: Process | str, *, otel: bool) -> BlockingClient:
    address = sidecar if isinstance(sidecar, str) else str(sidecar.link)
    return BlockingClient(address, budget=GENEROUS, secret="", otel=otel)


def told(rule: str) -> list[tuple[object, object]]:
    """Return of each span of a rule its result and its source."""
    spans = [dict(it.attributes or {}) for it in sdk().spans(rule)]
    return [(it.get("sidegate.result"), it.get("sidegate.source")) for it in spans]


async def test_checks_in_a_request_have_spans_below_that() -> None:
    """One by one, remembered, and several at once."""

    def ask(node: Process) -> None:
        with blocking(node, otel=True) as asking:
            for _ in range(3):
                asking.check("thread:ann", "1/hour")
            asking.check_all([("thread:bea", "5/hour", 1), ("thread:cid", "5/hour", 1)])
            asking.check_all([("thread:ann", "1/hour", 1), ("thread:cid", "5/hour", 1)])

    async with cluster("n1") as nodes:
        with sdk().request() as request:
            await asyncio.to_thread(ask, nodes[0])
    assert told("thread") == [
        ("allowed", "owner"),
        ("denied", "owner"),
        ("denied", "remembered"),
        ("allowed", "owner"),
        ("allowed", "owner"),
        ("denied", "remembered"),
    ]
    spans = sdk().spans("thread")
    assert all(it.parent == request.get_span_context() for it in spans)
    assert sdk().counts("thread") == {
        ("allowed", "owner"): 3,
        ("denied", "owner"): 1,
        ("denied", "remembered"): 2,
    }


async def test_what_cannot_be_decided_is_an_error() -> None:
    def ask(node: Process) -> None:
        with blocking(node, otel=True) as asking:
            limits = parse_limits("5/hour")
            asked = "thread.error:ann", "5/fortnight", 1  # as of a later release
            later = Question(asked, time.monotonic())
            with pytest.raises(CheckError):
                asking._shared.decide(later, limits)

    async with cluster("n1") as nodes:
        with sdk().request():
            await asyncio.to_thread(ask, nodes[0])
    (span,) = sdk().spans("thread.error")
    assert span.status.status_code is StatusCode.ERROR
    assert sdk().counts("thread.error") == {("error", ""): 1}


async def test_only_checks_in_sampled_traces_have_something_on_the_wire() -> None:
    def ask(address: str, otel: bool) -> None:
        with blocking(address, otel=otel) as asking:
            asking.check("thread.wire:ann", "5/hour")
            with sdk().request(sampled=False):
                asking.check("thread.wire:ann", "5/hour")
                asking.check_all([(f"thread.wire:{at}", "5/hour", 1) for at in range(3)])

    bodies: list[list[bytes]] = []
    for otel in (False, True):
        async with wire() as listening:
            await asyncio.to_thread(ask, listening.address, otel)
            bodies.append(listening.bodies)
    assert bodies[0] == bodies[1]


async def test_checks_of_one_frame_go_with_the_spans_that_ask() -> None:
    def ask(address: str) -> None:
        with blocking(address, otel=True) as asking:
            asking.check_all([(f"thread.all:{at}", "5/hour", 1) for at in range(3)])

    async with wire() as listening:
        with sdk().request():
            await asyncio.to_thread(ask, listening.address)
    spans = [it.context.span_id for it in sdk().spans("thread.all") if it.context is not None]
    (frame,) = listening.frames
    names = [(at, parse_traceparent(text)) for at, text in frame.traces or ()]
    assert [(at, name and name.span_id) for at, name in names] == list(enumerate(spans))
    assert not context.get_current()
