"""When nobody who could decide answers: the policy does, within the budget, and it is said."""

import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from sidegate_sidecar.config import Role
from sidegate_sidecar.fronts.forward_auth.heads import HeadReader
from sidegate_sidecar.fronts.forward_auth.styles import style_of
from sidegate_sidecar.process import Process
from tests.sidecar.fronts.forward_auth.asking_proxies import (
    answering,
    by_nginx,
    exchange,
    request,
    server_of,
)
from tests.support.in_process.beside import WithPuppet, ring_with_puppet
from tests.support.in_process.cluster import LOOPBACK

BUDGET = 0.1
EXPECTED = {
    "open": (b"200", 'outcome="allowed",source="open"'),
    "closed": (b"503", 'outcome="denied",source="closed"'),
    "local": (b"200", 'outcome="allowed",source="local"'),
}


async def beside_silence(
    stack: AsyncExitStack, folder: Path, defaults: str, **options: object
) -> WithPuppet:
    """Run a sidecar that owns nothing, beside a node that never answers a check."""
    file = folder / "rules.yaml"
    rules = f"version: 1\ndefaults: {{{defaults}}}\nrules: [{{name: all, limits: 10/hour}}]\n"
    file.write_text(rules)
    given = {"budget": BUDGET, "role": Role.LEAF, "auth": LOOPBACK, "rules": str(file), **options}
    return await stack.enter_async_context(ring_with_puppet(**given))


def metrics(node: Process) -> str:
    return generate_latest(node.http_server.registry).decode()


@pytest.mark.parametrize("of_file", [True, False])
@pytest.mark.parametrize("policy", EXPECTED)
async def test_the_policy_answers_and_says_so(
    policy: str,
    of_file: bool,
    stack: AsyncExitStack,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """That of the rules file, or else of the sidecar: in a field, a metric and the log."""
    others = {"open": "closed", "closed": "local", "local": "open"}
    defaults = f"on_unreachable: {policy}" if of_file else ""
    own = others[policy] if of_file else policy
    node = (await beside_silence(stack, tmp_path, defaults, on_unreachable=own)).node
    status, series = EXPECTED[policy]
    began = time.monotonic()
    got = await exchange(node, request("/x"))
    assert time.monotonic() - began < 20 * BUDGET
    assert got[9:12] == status
    assert b"\r\nsidegate-source: %s\r\n" % policy.encode() in got
    if policy == "closed":
        assert b"#temporary-reduced-capacity" in got
        assert b"\r\nretry-after: 1" in got
        assert (await exchange(node, by_nginx("/x")))[9:12] == b"403"
    if policy == "local":
        assert b'"all";r=4;t=' in got
    assert f"sidegate_auth_requests_total{{{series}}} " in metrics(node)
    assert server_of(node).counts.requests[EXPECTED[policy][1].split('"')[1], policy] >= 1
    assert "nobody can be asked who could decide them" in caplog.text


async def test_what_envoy_waits_is_the_budget(stack: AsyncExitStack, tmp_path: Path) -> None:
    """Where it is less than ours."""
    node = (await beside_silence(stack, tmp_path, "", budget=10.0)).node
    waits = "X-Envoy-Expected-Rq-Timeout-Ms: 50"
    began = time.monotonic()
    assert b"sidegate-source: open" in await exchange(node, request("/x", waits))
    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (request("/x", "X-Envoy-Expected-Rq-Timeout-Ms: 50"), 50_000),
        (request("/x", "X-Envoy-Expected-Rq-Timeout-Ms: 0"), 0),
        (request("/x", "X-Envoy-Expected-Rq-Timeout-Ms: 5000"), 100_000),
        (request("/x", *["X-Envoy-Expected-Rq-Timeout-Ms: 50"] * 2), 100_000),
        (request("/x", "X-Envoy-Expected-Rq-Timeout-Ms: -1"), 100_000),
        (request("/x", "X-Envoy-Expected-Rq-Timeout-Ms: soon"), 100_000),
        (request("/x"), 100_000),
        (by_nginx("/x", "X-Envoy-Expected-Rq-Timeout-Ms: 50"), 100_000),
    ],
)
async def test_of_other_proxies_the_field_is_their_clients(data: bytes, expected: int) -> None:
    """Nor is it believed where it makes no sense. In microseconds."""
    async with answering(budget=BUDGET) as node:
        head = HeadReader().read(data)
        assert server_of(node)._budget(style_of(head.target), head) == expected
