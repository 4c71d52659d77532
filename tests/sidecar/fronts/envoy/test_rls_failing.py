"""The gRPC port when there is nobody to ask, no port, no file, or an end."""

import asyncio
import errno
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from sidegate.buckets.decision import OnUnreachable
from sidegate.link.address import Address
from sidegate.protocol.messages import Checks
from sidegate_sidecar import in_force, process
from sidegate_sidecar.config import OptionError, Role
from sidegate_sidecar.errors import BAD_INPUT
from sidegate_sidecar.fronts.envoy.ratelimit_files import RatelimitFiles
from sidegate_sidecar.fronts.envoy.rls_calls import timeout_in
from sidegate_sidecar.fronts.envoy.rls_server import MAX_CALLS
from sidegate_sidecar.links.sockets import ListenError
from sidegate_sidecar.process import Process
from tests.sidecar.fronts.envoy.limits import EDGE, address_of, serving
from tests.sidecar.node.beside_puppets import beside_a_puppet
from tests.support.envoy.rls_client import HEALTH, NOT_SERVING, OK, OVER, SERVING, rls_client
from tests.support.envoy.rls_proto import HealthResponse, request
from tests.support.in_process.cluster import LOOPBACK, config, eventually, eventually_answered
from tests.support.in_process.commands import Run
from tests.support.in_process.http_client import http

ALICE = request("edge", [("user", "alice")])


@pytest.mark.parametrize(
    ("policy", "code"), [(OnUnreachable.OPEN, OK), (OnUnreachable.CLOSED, OVER)]
)
async def test_it_fails_as_told_and_says_so(
    stack: AsyncExitStack,
    tmp_path: Path,
    log: pytest.LogCaptureFixture,
    policy: OnUnreachable,
    code: int,
) -> None:
    """In a field, a metric and the log."""
    options: dict[str, Any] = {"on_unreachable": policy, "budget": 0.2, "role": Role.LEAF}
    node, client = await serving(stack, tmp_path, **options)
    response = await client.call(ALICE)
    assert response.overall_code == code
    fields = {it.key: it.value for it in response.response_headers_to_add}
    assert fields["sidegate-source"] == policy.value
    assert ("retry-after" in fields) == (code == OVER)
    assert f"nobody who could decide it can be asked ({policy.value})" in log.text
    async with http(node) as web:
        metrics = (await web.get("/metrics")).text
    name = "ok" if code == OK else "over_limit"
    assert f'sidegate_rls_calls_total{{code="{name}",source="{policy.value}"}} 1.0' in metrics
    assert 'sidegate_rls_refused_total{reason="secret"} 0.0' in metrics
    assert "sidegate_ratelimit_yaml_failing 0.0" in metrics


@pytest.mark.parametrize(
    ("metadata", "within"),
    [((("x-envoy-expected-rq-timeout-ms", "1000"),), 10.0), ((), 1.0)],
)
async def test_what_envoy_will_wait_is_the_budget(
    tmp_path: Path, metadata: tuple[tuple[str, str], ...], within: float
) -> None:
    """As it says itself, or as the deadline of the call does: an owner is given half of it."""
    file = tmp_path / "limits.yaml"
    file.write_text(EDGE)
    options: dict[str, Any] = {"grpc": LOOPBACK, "ratelimit_yaml": (str(file),)}
    async with beside_a_puppet(**options) as (node, silent, _, _):
        async with rls_client(address_of(node)) as client:
            users = [[("user", f"u{at}")] for at in range(20)]  # of some n2 is the owner
            response = await client.call(request("edge", *users), within, metadata)
        assert len(response.statuses) == 20
        budgets = [it.budget for it in silent.heard if isinstance(it, Checks)]
        assert budgets
        assert max(budgets) <= 500_000
        fields = {it.key: it.value for it in response.response_headers_to_add}
        assert fields["sidegate-source"] == "backup"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("20", 0.02), ("0", 0.0), ("-1", None), ("x", None), ("", None), ("9" * 99, None)],
)
def test_a_timeout_that_makes_no_sense_is_none(said: str, seconds: float | None) -> None:
    expected = float("inf") if seconds is None else seconds
    assert timeout_in([("x-envoy-expected-rq-timeout-ms", said)]) == expected


# --- its port and its files


async def test_a_port_that_is_taken_is_told_at_the_start(tmp_path: Path) -> None:
    """Also by another sidecar: they don't share it."""
    file = tmp_path / "limits.yaml"
    file.write_text(EDGE)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ListenError) as caught:
            Process(config("n1", grpc=at, ratelimit_yaml=(str(file),)))
    assert caught.value.errno == errno.EADDRINUSE
    assert str(caught.value).startswith(f"grpc '{at}': can't listen there")


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        ([None], "expected a file that can be read: No such file or directory"),
        (["domain: ["], "2: expected YAML: "),
        (["domain: edge", "domain: edge"], "domain 'edge' is another file's too"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_at_the_start(
    tmp_path: Path, texts: list[str | None], fault: str
) -> None:
    """With its path, and where in it."""
    paths = [str(tmp_path / f"{at}.yaml") for at in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        if text is not None:
            Path(path).write_text(text)
    with pytest.raises(OptionError) as caught:
        RatelimitFiles(paths)
    assert str(caught.value) == f"ratelimit-yaml {paths[-1]!r}: {caught.value.why}"
    assert fault in caught.value.why


async def test_a_file_that_changes_is_read_again(
    stack: AsyncExitStack,
    tmp_path: Path,
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that can't be used is told once; meanwhile what there was before holds."""
    monkeypatch.setattr(in_force, "LOOK_EVERY", 0.01)
    node, client = await serving(stack, tmp_path)
    assert node.rls
    files = node.rls.files
    assert files is not None

    async def limit() -> int:
        response = await client.call(request("edge", [("all", "")]))
        return int(response.statuses[0].current_limit.requests_per_unit)

    assert await limit() == 100
    file = tmp_path / "limits.yaml"
    file.write_text("domain: edge\ndescriptors: {}\n")
    fault = await eventually(lambda: files.fault)
    assert fault == f"{file}: 2: descriptors {{}}: expected a list"
    assert await limit() == 100
    file.write_text(EDGE.replace("100", "70"))
    await eventually_answered(limit, lambda found: found == 70)
    assert not files.fault
    assert log.text.count("expected a list") == 1
    assert f"limits in force: {file}" in log.text


# --- its end


async def test_who_is_about_to_leave_says_so_and_answers_on(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    """To balancers that look at its health; before that they hear when it has joined."""
    node, client = await serving(stack, tmp_path, drain=0.1)
    assert await client.health() == SERVING
    assert await client.health("some.Service") == SERVING
    await node.leave()
    assert await client.health() == NOT_SERVING
    assert (await client.call(ALICE)).overall_code == OK


async def test_who_asks_for_the_health_and_goes_no_further_holds_nothing(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    """Anyone may ask, without a secret: each call is answered whether its message comes or not."""
    node, client = await serving(stack, tmp_path)
    async with grpc.aio.insecure_channel(str(address_of(node))) as channel:
        call: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(HEALTH)
        for waiting in [call() for _ in range(MAX_CALLS)]:
            assert HealthResponse.FromString(await waiting).status == SERVING
    assert (await client.call(ALICE)).overall_code == OK


async def test_calls_in_progress_end_before_the_node_does(tmp_path: Path) -> None:
    """A silent owner has half of the time, and the answer comes all the same."""
    file = tmp_path / "limits.yaml"
    file.write_text(EDGE)
    options: dict[str, Any] = {"grpc": LOOPBACK, "ratelimit_yaml": (str(file),), "budget": 0.5}
    async with (
        beside_a_puppet(**options) as (node, silent, _, _),
        rls_client(address_of(node)) as client,
    ):
        users = [[("user", f"u{at}")] for at in range(20)]
        call = asyncio.create_task(client.call(request("edge", *users)))
        await eventually(lambda: any(isinstance(it, Checks) for it in silent.heard))
        await node.depart()
        assert len((await call).statuses) == 20
        assert await client.code_of(ALICE.SerializeToString()) is grpc.StatusCode.UNAVAILABLE


def no_log(_level: str) -> None:
    """Send no line anywhere."""


def test_where_it_is_not_installed_it_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the name of the extra."""
    file = tmp_path / "limits.yaml"
    file.write_text(EDGE)
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.setattr(process, "log_to_stderr", no_log)  # it would stay after this test
    for module in ("rls_server", "rls_access", "rls_calls"):
        monkeypatch.delitem(sys.modules, f"sidegate_sidecar.fronts.envoy.{module}", raising=False)
    addresses = ("--link=127.0.0.1:0", "--http=127.0.0.1:0", "--grpc=127.0.0.1:0")
    ending = run("serve", *addresses, "--ratelimit-yaml", str(file))
    assert ending.code == BAD_INPUT
    assert ending.complaint == (
        "sidegate: --grpc (or SIDEGATE_GRPC) '127.0.0.1:0': expected grpcio to be installed, which"
        " is what the extra sidegate[grpc] has\n"
    )
