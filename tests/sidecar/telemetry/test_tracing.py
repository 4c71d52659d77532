"""A sidecar that traces: a span for each check whose asker has one, below that."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, DEFAULT_ON, Sampler
from opentelemetry.trace import SpanKind, StatusCode

from sidegate.protocol.codec import tracing_decoder
from sidegate.protocol.messages import NOBODY, Answers, Checks, TracedChecks
from sidegate.protocol.traces import traceparent
from sidegate_sidecar.node.forward import Send
from sidegate_sidecar.process import Process
from sidegate_sidecar.telemetry.tracing import Tracing
from tests.support.in_process.cluster import are_one_ring, config, eventually, key_of
from tests.support.in_process.puppets import APP, Bare, Puppet, bare, checks, puppet

TRACE, SPAN = 7, 9
PARENT = traceparent(TRACE, SPAN)


class Recorded:
    """What makes spans at a node, and those that it has made."""

    def __init__(self, name: str = "n1", sampler: Sampler = DEFAULT_ON) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(name, provider)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    async def the_span(self) -> ReadableSpan:
        """Return the only one, which may end a moment after its answer was sent."""
        await eventually(lambda: self.spans)
        (span,) = self.spans
        return span


class Watched(Recorded):
    """A sidecar that traces."""

    def __init__(self, name: str, *seeds: Process | Puppet, sampler: Sampler = DEFAULT_ON) -> None:
        super().__init__(name, sampler)
        addresses = tuple(it.link if isinstance(it, Process) else it.address for it in seeds)
        self.node = Process(config(name, seeds=addresses), self.tracing)


@asynccontextmanager
async def alone(sampler: Sampler = DEFAULT_ON) -> AsyncGenerator[tuple[Watched, Bare]]:
    """Run one that traces, and an app of it."""
    watched = Watched("n1", sampler=sampler)
    async with watched.node, bare(watched.node, APP) as app:
        yield watched, app


@asynccontextmanager
async def two() -> AsyncGenerator[tuple[Watched, Watched, Bare]]:
    """Run two on one ring, and an app of the first."""
    async with AsyncExitStack() as stack:
        first = Watched("n1")
        await stack.enter_async_context(first.node)
        second = Watched("n2", first.node)
        await stack.enter_async_context(second.node)
        await eventually(lambda: are_one_ring([first.node, second.node]))
        yield first, second, await stack.enter_async_context(bare(first.node, APP))


def traced(*keys: str, limits: str = "5/hour", of: str = PARENT) -> TracedChecks:
    """Return a frame of checks, the last of which belongs to a trace."""
    asked = [(key, limits, 1) for key in keys]
    return TracedChecks(1, 0, 10**7, asked, traces=[(len(keys) - 1, of)])


def told(span: ReadableSpan) -> dict[str, object]:
    """Return the attributes of a span."""
    return dict(span.attributes or {})


def ids(span: ReadableSpan) -> tuple[int, int, int]:
    """Return its trace, its own id and that of its parent."""
    assert span.context is not None
    assert span.parent is not None
    return span.context.trace_id, span.context.span_id, span.parent.span_id


async def test_who_decides_has_a_span_below_that_of_the_app() -> None:
    """Of the check that belongs to a trace, and of no other."""
    async with alone() as (watched, app):
        await app.send(traced("api:ann", "login:ann"), checks(2, ("api:bea", "5/hour", 1)))
        assert isinstance(await app.next(), Answers)
        assert isinstance(await app.next(), Answers)
        span = await watched.the_span()
    assert (span.name, span.kind) == ("sidegate.decide", SpanKind.SERVER)
    trace_id, _, parent = ids(span)
    assert (trace_id, parent) == (TRACE, SPAN)
    assert told(span) == {
        "sidegate.rule": "login",
        "sidegate.result": "allowed",
        "sidegate.source": "owner",
        "sidegate.cost": 1,
        "sidegate.remaining": 4,
        "sidegate.node": "n1",
    }


async def test_a_forwarded_check_has_a_span_at_each_node_one_below_the_other() -> None:
    async with two() as (first, second, app):
        key = key_of("n2", first.node.cluster.ring, "api:")
        await app.send(traced("api:other", key))
        while not (first.spans and second.spans):
            assert isinstance(await app.next(), Answers)
        forward, decide = await first.the_span(), await second.the_span()
    assert (forward.name, decide.name) == ("sidegate.forward", "sidegate.decide")
    trace_id, at_first, parent = ids(forward)
    assert (trace_id, parent) == (TRACE, SPAN)
    assert ids(decide)[::2] == (TRACE, at_first)
    assert told(forward) == told(decide)
    assert told(decide)["sidegate.node"] == "n2"


@asynccontextmanager
async def with_an_owner(
    sampler: Sampler = DEFAULT_ON,
) -> AsyncGenerator[tuple[Watched, Puppet, Bare, str]]:
    """Run one that traces beside a puppet that reads traces, and take a key of the puppet."""
    async with puppet("n2") as owner:
        owner.decode = tracing_decoder()
        watched = Watched("n1", owner, sampler=sampler)
        async with watched.node, bare(watched.node, APP) as app:
            await eventually(lambda: watched.node.ready and "n2" in watched.node.cluster.ring)
            yield watched, owner, app, key_of("n2", watched.node.cluster.ring, "api:")


async def test_of_several_parts_each_span_ends_with_its_own() -> None:
    """And goes on to the owner under the position that its check has there."""
    async with with_an_owner() as (watched, owner, app, key):
        mine = key_of("n1", watched.node.cluster.ring, "api:")
        traces = [(1, PARENT), (2, traceparent(TRACE, SPAN + 1))]
        asked = [(it, "5/hour", 1) for it in (mine, mine, key)]
        await app.send(TracedChecks(1, 0, 10**7, asked, traces=traces))
        frame = await owner.hear(TracedChecks)
        decide = await watched.the_span()
        assert ids(decide)[2] == SPAN
        await owner.say(Answers(frame.id, "owner", "n2", None, [[0, 720 * 10**9 * 5]]))
        await eventually(lambda: len(watched.spans) == 2)
        forward = watched.spans[1]
    _, at_first, parent = ids(forward)
    assert parent == SPAN + 1
    assert frame.traces == [(0, traceparent(TRACE, at_first))]
    assert (forward.name, told(forward)["sidegate.result"]) == ("sidegate.forward", "denied")


async def test_who_decides_in_place_of_the_owner_says_so() -> None:
    """A backup whose owner breaks off has one span, with its own decision."""
    async with with_an_owner() as (watched, owner, app, key):
        await app.send(traced(key))
        await owner.hear(TracedChecks)
        await owner.stop()
        assert isinstance(await app.next(), Answers)
        span = await watched.the_span()
    assert span.name == "sidegate.decide"
    assert told(span)["sidegate.source"] in {"backup", "owner", "local"}


async def test_a_check_that_is_handed_back_was_decided_by_nobody() -> None:
    """The span of who hands it back says that, and has no result."""
    recorded = Recorded()

    def hand_back(frame: Checks, send: Send, _by: str = "", /) -> None:
        send(Answers(frame.id, NOBODY, "n1", None, [[0]]))

    passed = list[Answers]()
    recorded.tracing.watch(hand_back)(traced("api:ann"), passed.append)
    assert told(await recorded.the_span()) == {"sidegate.rule": "api", "sidegate.source": NOBODY}


async def test_answers_that_cannot_be_read_here_are_passed_on() -> None:
    """As those of an owner of a later release, which knows more limits."""
    recorded, passed = Recorded(), list[Answers]()
    answers = Answers(1, "owner", "n2", None, [[1, 5]])
    decide = recorded.tracing.watch(lambda _frame, send, _by="", /: send(answers))
    decide(traced("api:ann", limits="5/fortnight"), passed.append)
    assert passed == [answers]
    assert told(await recorded.the_span()) == {"sidegate.rule": "api", "error.type": "LimitError"}


async def test_what_makes_no_sense_is_an_error_without_its_text() -> None:
    async with alone() as (watched, app):
        await app.send(traced("login:ann", limits="5/fortnight"))
        await app.next()
        span = await watched.the_span()
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert told(span) == {"sidegate.rule": "login", "error.type": "CheckError"}


@pytest.mark.parametrize("of", ["x" * 55, PARENT[:-2] + "00"])
async def test_names_that_are_none_are_ignored(of: str) -> None:
    async with alone() as (watched, app):
        await app.send(traced("login:ann", of=of))
        assert isinstance(await app.next(), Answers)
        assert watched.spans == []


async def test_a_sampler_may_leave_spans_out() -> None:
    """Then the owner's are right below that of the app."""
    async with with_an_owner(ALWAYS_OFF) as (watched, owner, app, key):
        await app.send(traced(key))
        frame = await owner.hear(TracedChecks)
        await owner.say(Answers(frame.id, "owner", "n2", None, [[1, 720 * 10**9]]))
        assert isinstance(await app.next(), Answers)
        assert (watched.spans, frame.traces) == ([], [(0, PARENT)])


async def test_a_trace_of_a_check_that_is_not_there_is_refused() -> None:
    frame = TracedChecks(1, 0, 10**7, [("k", "5/hour", 1)], traces=[(1, PARENT)])
    async with alone() as (watched, app):
        await app.send(frame)
        error = await app.error()
    assert (error.code, error.text) == ("bad-message", "a trace of none of 1 checks")
    assert watched.spans == []


async def test_a_sidecar_that_does_not_trace_forwards_without_traces() -> None:
    """As one of a release that knows none."""
    async with puppet("n2") as owner:
        owner.decode = tracing_decoder()
        node = Process(config("n1", seeds=(owner.address,)))
        async with node, bare(node, APP) as app:
            await eventually(lambda: node.ready and "n2" in node.cluster.ring)
            key = key_of("n2", node.cluster.ring, "api:")
            await app.send(traced(key))
            frame = await owner.hear(TracedChecks)
            await owner.say(Answers(frame.id, "owner", "n2", None, [[1, 720 * 10**9]]))
            assert isinstance(await app.next(), Answers)
    assert (frame.checks, frame.traces) == ([(key, "5/hour", 1)], None)
