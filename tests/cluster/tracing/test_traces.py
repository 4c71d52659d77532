"""Traces over sidecars as processes, which export to a collector: one trace for a check's road.

The app is this process; its spans are those of the SDK in memory.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from signal import SIGCONT, SIGSTOP

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from sidegate.client.blocking import BlockingClient
from tests.support.in_process.cluster import (
    GENEROUS,
    client,
    eventually,
    eventually_answered,
    key_of,
)
from tests.support.processes.fleet import Fleet, fleet
from tests.support.processes.services import Sidecar
from tests.support.telemetry import Collector, Exported, collector, sdk

SERVER = 2  # the kind of a span, as OTLP has it
SECRET_PART = "ann.example"  # of each key, and of nothing that may be exported
NAMES = ("n1", "n2", "n3")
PAIR = ("n2", "n3")  # owner and backup


@asynccontextmanager
async def traced(
    monkeypatch: pytest.MonkeyPatch, *names: str, budget: float = GENEROUS, every: float = 0.05
) -> AsyncGenerator[tuple[Fleet, Collector]]:
    """Run sidecars that trace, and what they export to."""
    with collector() as (collected, endpoint):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", f"{every * 1e3:.0f}")
        async with fleet(*names, budget=budget, otel=True) as cluster:
            yield cluster, collected
        assert all(SECRET_PART.encode() not in body for body in collected.bodies)


def ids(span: ReadableSpan) -> tuple[int, int]:
    """Return the trace of a span, and its own id."""
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


def the_check(rule: str) -> tuple[int, int]:
    """Return the ids of the app's span of the only check of a rule."""
    (span,) = sdk().spans(rule)
    return ids(span)


async def arrived(collected: Collector, rule: str, count: int) -> list[Exported]:
    """Wait for so many spans of the sidecars about a rule; return them."""

    def of_rule() -> list[Exported]:
        return [it for it in collected.spans if it.attributes.get("sidegate.rule") == rule]

    await eventually(lambda: len(of_rule()) >= count)
    found = of_rule()
    assert len(found) == count, found
    return found


def key_at(cluster: Fleet, owner: str, rule: str) -> str:
    """Return a key of a rule that this node owns."""
    return key_of(owner, cluster.ring, f"{rule}:{SECRET_PART}.")


async def test_both_hops_of_a_check_are_one_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """From a loop and from a thread; each span is below the one that asked for it."""
    async with traced(monkeypatch, *NAMES) as (cluster, collected):
        link = str(cluster.nodes["n1"].link)

        def in_a_thread() -> None:
            with BlockingClient(link, budget=GENEROUS, secret="", otel=True) as asking:
                asking.check(key_at(cluster, "n3", "hops.thread"), "5/hour")

        async with client(link, otel=True) as asking:
            with sdk().request():
                await asking.check(key_at(cluster, "n2", "hops.loop"), "5/hour")
                await asyncio.to_thread(in_a_thread)
            await asking.check(key_at(cluster, "n2", "hops.loop"), "5/hour")  # in no trace
        for rule, owner in (("hops.loop", "n2"), ("hops.thread", "n3")):
            trace_id, asked = the_check(rule)
            spans = {it.name: it for it in await arrived(collected, rule, 2)}
            forward, decide = spans["sidegate.forward"], spans["sidegate.decide"]
            assert {it.trace_id for it in spans.values()} == {trace_id}
            assert {it.kind for it in spans.values()} == {SERVER}
            assert (forward.parent, decide.parent) == (asked, forward.span_id)
            assert (forward.service, forward.instance) == ("sidegate", "n1")
            assert (decide.service, decide.instance) == ("sidegate", owner)
            assert decide.attributes == {
                "sidegate.rule": rule,
                "sidegate.result": "allowed",
                "sidegate.source": "owner",
                "sidegate.cost": 1,
                "sidegate.remaining": 4,
                "sidegate.node": owner,
            }


async def test_where_the_owner_is_stopped_the_trace_goes_on_at_the_backup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The app's span and those of both sidecars name the backup, which has decided."""
    async with traced(monkeypatch, *NAMES, budget=2.0) as (cluster, collected):
        pair = cluster.ring.pair
        key = next(it for at in range(10_000) if pair(it := f"stopped:{SECRET_PART}.{at}") == PAIR)
        async with client(str(cluster.nodes["n1"].link), otel=True) as asking:
            await asking.check(key, "50/day")
            cluster.nodes["n2"].send(SIGSTOP)

            async def in_a_request() -> tuple[str, int]:
                with sdk().request() as request:
                    decision = await asking.check(key, "50/day")
                return decision.source, request.get_span_context().trace_id

            try:  # its copy may be on its way yet
                _, trace_id = await eventually_answered(in_a_request, lambda it: it[0] == "backup")
            finally:
                cluster.nodes["n2"].send(SIGCONT)
        (span,) = [it for it in sdk().spans("stopped") if ids(it)[0] == trace_id]

        def by_backup() -> dict[str, Exported]:
            of_trace = [it for it in collected.spans if it.trace_id == trace_id]
            return {
                it.name: it for it in of_trace if it.attributes.get("sidegate.source") == "backup"
            }

        await eventually(lambda: len(by_backup()) == 2)
        forward, decide = by_backup()["sidegate.forward"], by_backup()["sidegate.decide"]
        assert (forward.parent, decide.parent) == (ids(span)[1], forward.span_id)
        assert (forward.instance, decide.instance) == ("n1", "n3")
        assert dict(span.attributes or {}) == forward.attributes == decide.attributes


async def test_sidecars_of_which_one_does_not_trace_decide_as_they_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a rolling deploy: whoever doesn't trace is left out, with what lies behind it."""
    async with traced(monkeypatch, "n1") as (cluster, collected):
        plain = Sidecar("n2", cluster.nodes["n1"], budget=GENEROUS)
        cluster.nodes["n2"] = cluster._known["n2"] = plain.launch()
        await cluster.ready("n2")
        await cluster.whole()
        for asked in ("n1", "n2"):
            link = str(cluster.nodes[asked].link)
            async with client(link, otel=True) as asking:
                with sdk().request():
                    for owner in ("n1", "n2"):
                        key = key_at(cluster, owner, f"mixed.{asked}.{owner}")
                        assert (await asking.check(key, "5/hour")).source == "owner"
        (alone,) = await arrived(collected, "mixed.n1.n1", 1)
        assert (alone.name, alone.parent) == ("sidegate.decide", the_check("mixed.n1.n1")[1])
        (forward,) = await arrived(collected, "mixed.n1.n2", 1)
        assert (forward.name, forward.parent) == ("sidegate.forward", the_check("mixed.n1.n2")[1])
    spans = {it.attributes["sidegate.rule"] for it in collected.spans}
    assert spans == {"mixed.n1.n1", "mixed.n1.n2"}  # all, for at its end a sidecar sends the rest


async def test_what_is_left_is_sent_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """And where no collector is, a sidecar ends all the same."""
    async with traced(monkeypatch, "n1", every=3600) as (cluster, collected):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        await cluster.start("n2", "n3")
        await cluster.whole()
        async with cluster.asking(otel=True) as (first, second, _):
            with sdk().request():
                await first.check(key_at(cluster, "n1", "end.sent"), "5/hour")
                await second.check(key_at(cluster, "n2", "end.lost"), "5/hour")
        assert collected.bodies == []
        await cluster.stop("n1", "n2")
        assert [it.attributes["sidegate.rule"] for it in collected.spans] == ["end.sent"]
