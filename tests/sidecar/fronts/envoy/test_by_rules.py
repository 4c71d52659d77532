"""Envoy's calls decided by a rules file: what entries tell of a request, and what is answered."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from sidegate_sidecar.fronts.envoy.descriptor_request import MAX_PATH
from sidegate_sidecar.process import Process
from tests.sidecar.fronts.envoy.limits import EDGE, address_of, serving
from tests.support.envoy.rls_client import OK, OVER, RlsClient, rls_client
from tests.support.envoy.rls_proto import Entries, request
from tests.support.in_process.cluster import LOOPBACK, clients, eventually, running

RULES = """
version: 1
exempt: [/healthz, "cidr:10.0.0.0/8"]
plans:
  free: {api: 2/minute}
  pro: {api: 7/minute}
tenants: {plan: "header:x-plan", default: free}
rules:
  - {name: login, match: {path: /login, methods: [POST]}, limits: 3/hour; 50/day}
  - {name: export, match: {path: /export}, limits: 10/hour, cost: 5}
  - {name: tried, match: {path: /tried}, limits: 1/hour, mode: shadow}
  - {name: odd, match: {path: /odd}, limits: 10/5 minutes}
  - {name: edge, match: {path: /hosts, host: edge}, limits: 1/hour}
  - {name: shop, match: {path: /hosts, host: shop.example.com}, limits: 2/hour}
  - {name: beta, match: {path: /b, headers: {x-beta: "on"}}, limits: 4/hour, key: "header:x-key"}
  - {name: plan, match: {path: /plan}, limits: "plan:api"}
"""
ADDRESS = ("remote_address", "192.0.2.1")


@pytest.fixture
async def ruled(stack: AsyncExitStack, tmp_path: Path) -> tuple[Process, RlsClient]:
    """Run a sidecar that decides by these rules, and a client that asks it."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    node = await running(stack, "n1", grpc=LOOPBACK, rules=str(file))
    return node, await stack.enter_async_context(rls_client(address_of(node)))


def asked(path: str, *more: tuple[str, str], method: str = "GET") -> Entries:
    return [("method", method), ("path", path), ADDRESS, *more]


async def left(client: RlsClient, entries: Entries, domain: str = "edge") -> int:
    """Return how many are left of the one limit that a call comes to, which passes."""
    response = await client.call(request(domain, entries))
    assert response.overall_code == OK
    (status,) = response.statuses
    assert status.HasField("current_limit")
    return int(status.limit_remaining)


async def is_limited(client: RlsClient, entries: Entries) -> bool:
    response = await client.call(request("edge", entries))
    return bool(response.response_headers_to_add)


async def test_a_request_is_refused_by_the_rule_that_it_comes_to(
    ruled: tuple[Process, RlsClient],
) -> None:
    """Told as the middleware tells it; of several limits the status is that of the binding one."""
    _, client = ruled
    entries = asked("//login/?x=1", method="post")
    for at in range(3):
        assert await left(client, entries) == 2 - at
    response = await client.call(request("edge", entries))
    assert response.overall_code == OVER
    (status,) = response.statuses
    limit = status.current_limit
    assert (status.code, limit.name, limit.requests_per_unit, limit.unit) == (OVER, "login", 3, 3)
    fields = {it.key: it.value for it in response.response_headers_to_add}
    assert fields["ratelimit-policy"] == '"login 3/hour";q=3;w=3600, "login 50/day";q=50;w=86400'
    assert 1_190 <= int(fields["retry-after"]) <= 1_200
    assert b'"violated-policies":["login 3/hour"]' in response.raw_body
    assert await client.call(request("edge", asked("/login")))  # a GET is another request


async def test_it_is_the_bucket_that_apps_have_under_the_rule(
    ruled: tuple[Process, RlsClient],
) -> None:
    node, client = ruled
    await client.call(request("edge", asked("/login", method="POST"), hits=2))
    async with clients(node) as (app,):
        found = await app.check("login:192.0.2.1", "3/hour; 50/day")
    assert (found.allowed, found.remaining) == (True, 0)


async def test_hits_multiply_the_cost_of_the_rule(ruled: tuple[Process, RlsClient]) -> None:
    _, client = ruled
    looks = request("edge", asked("/export"), each=[0])
    assert (await client.call(looks)).statuses[0].limit_remaining == 10
    assert await left(client, asked("/export")) == 5
    too_many = await client.call(request("edge", asked("/export"), hits=3))
    assert too_many.overall_code == OVER
    assert b"cost 15 never fits" in too_many.raw_body
    assert await left(client, asked("/export")) == 0


@pytest.mark.parametrize(
    "entries",
    [
        [("path", "/nothing/of/the/kind"), ADDRESS],
        [("path", "/healthz"), ADDRESS],
        [("path", "/export"), ("remote_address", "10.1.2.3")],
        [("generic_key", "x")],
        [("path", "/b"), ("x-beta", "off"), ADDRESS],
    ],
)
async def test_what_no_rule_is_for_passes(
    ruled: tuple[Process, RlsClient], entries: Entries
) -> None:
    response = await ruled[1].call(request("edge", entries))
    assert (response.overall_code, list(response.response_headers_to_add)) == (OK, [])
    assert not response.statuses[0].HasField("current_limit")


async def test_fields_may_be_told_with_their_prefix_or_without(
    ruled: tuple[Process, RlsClient],
) -> None:
    """In any letters."""
    _, client = ruled
    assert await left(client, asked("/b", ("x-beta", "on"), ("header:X-Key", "k"))) == 3
    assert await left(client, asked("/b", ("Header", ""), ("header:x-beta", "ON"), ("x-key", "k")))
    assert await left(client, asked("/b", ("x-beta", "on"), ("x-key", "other"))) == 3


async def test_a_descriptor_without_a_host_is_for_the_one_that_the_domain_is_called(
    ruled: tuple[Process, RlsClient],
) -> None:
    _, client = ruled
    assert await left(client, asked("/hosts")) == 0
    assert await left(client, asked("/hosts", ("host", "Shop.Example.com:443"))) == 1
    assert await left(client, asked("/hosts"), "shop.example.com") == 0


async def test_a_plan_is_believed_of_entries_that_envoy_answers_for(
    ruled: tuple[Process, RlsClient],
) -> None:
    """Not of a field as the client has sent it, also beside one of Envoy's own."""
    _, client = ruled
    other, bought = ("remote_address", "192.0.2.2"), ("trusted:X-Plan", "pro")
    assert await left(client, asked("/plan", ("header:x-plan", "pro"))) == 1
    assert await left(client, asked("/plan", ("x-plan", "pro"), ("trusted:x-plan", "free"))) == 0
    assert await left(client, asked("/plan", ("x-plan", "free"), bought, other)) == 6


async def test_a_shadow_rule_refuses_nobody_and_says_so(ruled: tuple[Process, RlsClient]) -> None:
    _, client = ruled
    assert await left(client, asked("/tried")) == 0
    response = await client.call(request("edge", asked("/tried")))
    assert (response.overall_code, response.statuses[0].code) == (OK, OK)
    assert ("sidegate-shadow", "denied") in {
        (it.key, it.value) for it in response.response_headers_to_add
    }


async def test_a_limit_for_which_envoy_has_no_unit_is_told_without_one(
    ruled: tuple[Process, RlsClient],
) -> None:
    response = await ruled[1].call(request("edge", asked("/odd")))
    (status,) = response.statuses
    assert not status.HasField("current_limit")
    assert status.limit_remaining == 9
    assert response.response_headers_to_add[0].value == '"odd";q=10;w=300'


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        (asked("/hosts", ("host", "a*b")), b"host"),
        (asked("/hosts", ("host", "a.example"), ("header:host", "b.example")), b"host"),
        (asked("/b", ("x-beta", "on"), ("x-beta", "off")), b"x-beta came in several lines"),
        (asked("/b", ("x-beta", "x" * 8_193)), b"8,193 characters, expected at most 8,192"),
        (asked("/b", ("x-beta", "," * 64)), b"x-beta lists 65, expected at most 64"),
        (asked("/" + "x" * MAX_PATH), b"the path has 8,193 characters"),
    ],
)
async def test_what_cannot_be_told_from_others_is_refused_and_is_no_error(
    ruled: tuple[Process, RlsClient], entries: Entries, why: bytes
) -> None:
    """Envoy would let an error through; the other descriptors of the call are charged nothing."""
    node, client = ruled
    login = asked("/login", method="POST")
    response = await client.call(request("edge", login, entries))
    assert response.overall_code == OVER
    assert [it.code for it in response.statuses] == [OVER, OVER]
    assert why in response.raw_body
    assert await left(client, login) == 2
    assert node.rls
    assert node.rls.counts.calls["over_limit", "none"] == 1


async def test_a_change_of_the_file_is_in_force_for_the_next_call(
    ruled: tuple[Process, RlsClient],
) -> None:
    node, client = ruled
    assert await is_limited(client, asked("/export"))
    file = Path(node.config.rules)
    new = file.with_suffix(".new")
    new.write_text("version: 1\nrules: [{name: other, match: {path: /other}, limits: 5/minute}]\n")
    new.rename(file)
    await eventually(lambda: node.rules and node.rules.changes)
    assert not await is_limited(client, asked("/export"))
    assert await is_limited(client, asked("/other"))


async def test_beside_files_of_limits_the_rules_decide_nothing_of_envoys(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    options: dict[str, Any] = {"rules": str(file)}
    _, client = await serving(stack, tmp_path, EDGE, **options)
    assert not await is_limited(client, asked("/export"))
    assert await is_limited(client, [("user", "alice")])
