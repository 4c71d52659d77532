"""A Client that traces: a span for each check in a sampled trace, and counts of all checks."""

import asyncio

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from sidegate.client.client import Client
from sidegate.errors import CheckError, CostError, NoEventLoop
from sidegate.protocol.messages import MAX_CHECKS, MAX_TRACES
from sidegate.protocol.traces import parse_traceparent
from sidegate.testing import isolated
from tests.middleware.client.traced.wire import Wire, wire
from tests.support.in_process.cluster import client, cluster
from tests.support.telemetry import sdk

NOBODY = "127.0.0.1:1"


async def test_a_check_in_a_request_has_a_span_below_that() -> None:
    async with cluster("n1") as nodes, client(nodes[0], otel=True) as asking:
        with sdk().request() as request:
            assert (await asking.check("loop.one:ann", "5/hour", 2)).allowed
    (span,) = sdk().spans("loop.one")
    assert (span.name, span.kind) == ("sidegate.check", SpanKind.CLIENT)
    assert span.parent == request.get_span_context()
    assert span.attributes == {
        "sidegate.rule": "loop.one",
        "sidegate.result": "allowed",
        "sidegate.source": "owner",
        "sidegate.cost": 2,
        "sidegate.remaining": 3,
        "sidegate.node": "n1",
    }
    assert sdk().counts("loop.one") == {("allowed", "owner"): 1}


async def test_outside_of_sampled_traces_there_is_no_span_but_a_count() -> None:
    async with cluster("n1") as nodes, client(nodes[0], otel=True) as asking:
        with sdk().request(sampled=False):
            await asking.check("loop.none:ann", "1/hour")
        await asking.check("loop.none:ann", "1/hour")
    assert sdk().spans("loop.none") == []
    assert sdk().counts("loop.none") == {("allowed", "owner"): 1, ("denied", "owner"): 1}


async def test_remembered_denials_are_told_too() -> None:
    """Also where several checks are made at once, and one is remembered."""
    asked = ("loop.again:ann", "1/hour", 1)
    async with (
        cluster("n1") as nodes,
        client(nodes[0], otel=True, remember_denials=True) as asking,
    ):
        with sdk().request():
            await asking.check(*asked)
            await asking.check(*asked)
            assert (await asking.check(*asked)).source == "remembered"
            await asking.check_all([asked, ("loop.again:bea", "1/hour", 1)])
    sources = [(it.attributes or {})["sidegate.source"] for it in sdk().spans("loop.again")]
    assert sources == ["owner", "owner", "remembered", "remembered"]
    assert sdk().counts("loop.again") == {
        ("allowed", "owner"): 1,
        ("denied", "owner"): 1,
        ("denied", "remembered"): 2,
    }


async def test_checks_without_a_sidecar_say_who_decided() -> None:
    async with client(NOBODY, otel=True, budget=0.2) as asking:
        with sdk().request():
            await asking.check("loop.open:ann", "1/hour")
            with isolated():
                await asking.check("loop.open:ann", "1/hour")
    told = [dict(it.attributes or {}) for it in sdk().spans("loop.open")]
    assert [it["sidegate.source"] for it in told] == ["open", "memory"]
    assert "sidegate.remaining" not in told[0]


async def test_what_cannot_be_decided_is_an_error_without_its_text() -> None:
    async with cluster("n1") as nodes, client(nodes[0], otel=True) as asking:
        with sdk().request():
            check = asking.check("loop.error:ann", "5/hour")
            turn = asking._here().turn
            assert turn is not None
            turn.checks[0] = ("loop.error:ann", "5/fortnight", 1)  # as of a later release
            with pytest.raises(CheckError):
                await check
    (span,) = sdk().spans("loop.error")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert dict(span.attributes or {}) == {
        "sidegate.rule": "loop.error",
        "error.type": "CheckError",
    }
    assert sdk().counts("loop.error") == {("error", ""): 1}


async def test_what_cannot_be_asked_raises_and_is_not_told() -> None:
    asking = Client(NOBODY, otel=True)
    with sdk().request():
        with pytest.raises(CostError):
            asking.check("loop.wrong:ann", "1/hour", 2)
        with pytest.raises(NoEventLoop):
            await asyncio.to_thread(asking.check, "loop.wrong:ann", "1/hour")
    assert (sdk().spans("loop.wrong"), sdk().counts("loop.wrong")) == ([], {})


async def test_who_gives_up_ends_its_span() -> None:
    """Without a result, so it has no rule either; and nothing is counted."""
    async with cluster("n1") as nodes, client(nodes[0], otel=True) as asking:
        with sdk().request() as request:
            asking.check("loop.gone:ann", "1/hour").cancel()
            await asking.check("loop.there:ann", "1/hour")
    ended = [it for it in sdk().ended() if it.parent == request.get_span_context()]
    assert [bool(it.attributes) for it in ended] == [False, True]
    assert sdk().counts("loop.gone") == {}


# --- on the wire


def parents(listening: Wire) -> list[list[tuple[int, int]]]:
    """Return of each frame which of its checks were asked by which span."""
    found: list[list[tuple[int, int]]] = []
    for frame in listening.frames:
        names = [(at, parse_traceparent(text)) for at, text in frame.traces or ()]
        found.append([(at, name.span_id) for at, name in names if name is not None])
    return found


async def test_only_checks_in_sampled_traces_have_something_on_the_wire() -> None:
    """All others have the very bytes that they have without tracing."""
    bodies: list[list[bytes]] = []
    for otel in (False, True):
        async with wire() as listening, client(listening.address, otel=otel) as asking:
            await asking.check("wire:ann", "5/hour")
            with sdk().request(sampled=False):
                await asyncio.gather(*(asking.check(f"wire:{at}", "5/hour") for at in range(9)))
            bodies.append(listening.bodies)
    assert bodies[0] == bodies[1]


async def test_each_check_goes_with_the_span_that_asks() -> None:
    async with wire() as listening, client(listening.address, otel=True) as asking:
        outside = asking.check("mixed:ann", "5/hour")
        with sdk().request():
            inside = asking.check("mixed:bea", "5/hour")
        await asyncio.gather(outside, inside)
    (span,) = sdk().spans("mixed")
    assert span.context is not None
    assert parents(listening) == [[(1, span.context.span_id)]]


async def test_a_frame_has_a_bounded_number_of_traces() -> None:
    """Further checks have their spans in the app alone."""
    count = MAX_TRACES + 6
    async with wire() as listening, client(listening.address, otel=True) as asking:
        with sdk().request():
            await asyncio.gather(*(asking.check(f"many:{at}", "5/hour") for at in range(count)))
    assert len(sdk().spans("many")) == count
    assert [at for at, _ in parents(listening)[0]] == list(range(MAX_TRACES))


async def test_traces_go_with_their_checks_into_several_frames() -> None:
    async with wire() as listening, client(listening.address, otel=True) as asking:
        asked = [asking.check(f"big:{at}", "5/hour") for at in range(MAX_CHECKS)]
        with sdk().request():
            asked.append(asking.check("last:ann", "5/hour"))
        await asyncio.gather(*asked)
    (span,) = sdk().spans("last")
    assert span.context is not None
    last = len(listening.frames[1].checks) - 1
    assert parents(listening) == [[], [(last, span.context.span_id)]]
