"""The gRPC port: who may call it, and what it takes."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.link.address import Address
from sidegate_sidecar.config import OptionError
from sidegate_sidecar.fronts.envoy import rls_calls
from sidegate_sidecar.fronts.envoy.rls_server import MAX_CALLS, MAX_CONNECTIONS, MAX_MESSAGE
from tests.sidecar.fronts.envoy.limits import address_of, serving
from tests.support.certificates import Authority
from tests.support.envoy.rls_client import OK, OVER, SERVING, rls_client
from tests.support.envoy.rls_proto import request
from tests.support.in_process.cluster import LOOPBACK, config, eventually

SECRET = b"a good secret for tests"
ALICE = request("edge", [("user", "alice")])
BYTES = ALICE.SerializeToString()
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", token),)


# --- who may call


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ((), UNAUTHENTICATED),
        (bearer("Bearer wrong"), UNAUTHENTICATED),
        (bearer("Basic " + SECRET.decode()), UNAUTHENTICATED),
        (bearer("Bearer " + SECRET.decode()), grpc.StatusCode.OK),
        (bearer("bearer  " + SECRET.decode() + " "), grpc.StatusCode.OK),
    ],
)
async def test_with_a_secret_it_has_to_be_shown(
    stack: AsyncExitStack, tmp_path: Path, metadata: Any, code: grpc.StatusCode
) -> None:
    """On loopback too, as on the link; but anyone may ask for the health."""
    node, client = await serving(stack, tmp_path, secret=SECRET)
    assert await client.code_of(BYTES, metadata=metadata) == code
    assert await client.health() == SERVING
    assert node.rls
    assert node.rls.counts.refused["secret"] == (code is UNAUTHENTICATED)


async def test_the_token_of_http_is_that_of_grpc(stack: AsyncExitStack, tmp_path: Path) -> None:
    """It crosses the wire here too."""
    token = b"another secret of sixteen"
    _, client = await serving(stack, tmp_path, secret=SECRET, http_token=token)
    assert await client.code_of(BYTES, metadata=bearer(f"Bearer {SECRET.decode()}")) == (
        UNAUTHENTICATED
    )
    assert await client.code_of(BYTES, metadata=bearer(f"Bearer {token.decode()}")) == (
        grpc.StatusCode.OK
    )


async def test_who_may_not_call_is_not_read(stack: AsyncExitStack, tmp_path: Path) -> None:
    """Not even that it is too long is found out."""
    _, client = await serving(stack, tmp_path, secret=SECRET)
    assert await client.code_of(b"x" * (MAX_MESSAGE + 1)) is UNAUTHENTICATED


async def test_the_longest_field_in_many_descriptors_is_no_error(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    """An error would let a client through who sends it where many limits go by one field."""
    _, client = await serving(stack, tmp_path)
    for value in ("k" * 60_000, "\x80" * 30_000):
        response = await client.call(request("edge", *[[("user", value)]] * 16, hits=3))
        assert response.overall_code == OVER  # each of them charges the same bucket of 3


def _credentials(ca: Path, own: Path | None) -> grpc.ChannelCredentials:
    key = (own / "key.pem").read_bytes() if own else None
    cert = (own / "cert.pem").read_bytes() if own else None
    return grpc.ssl_channel_credentials((ca / "ca.pem").read_bytes(), key, cert)


async def test_with_certificates_both_sides_show_one(stack: AsyncExitStack, tmp_path: Path) -> None:
    """Of the same authority, as on the link; new files are read at the next connection."""
    ours, other = Authority(), Authority()
    tls = ours.issue(tmp_path / "n1", "n1")
    ours.issue(tmp_path / "envoy", "envoy")
    other.issue(tmp_path / "stranger", "stranger")
    node, plain = await serving(stack, tmp_path, tls=tls)
    assert await plain.code_of(BYTES, timeout=2.0) is not grpc.StatusCode.OK
    for own, right in (("envoy", True), ("stranger", False), (None, False)):
        credentials = _credentials(tmp_path / "n1", tmp_path / own if own else None)
        async with rls_client(address_of(node), credentials) as client:
            code = await client.code_of(BYTES, timeout=5.0 if right else 2.0)
        assert (code is grpc.StatusCode.OK) == right
    other.issue(tmp_path / "n1", "n1")
    async with rls_client(
        address_of(node), _credentials(tmp_path / "stranger", tmp_path / "stranger")
    ) as client:
        assert await client.code_of(BYTES) is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"grpc": LOOPBACK}, "grpc '127.0.0.1:0': expected --rules FILE or"),
        ({"ratelimit_yaml": ("f",)}, "ratelimit-yaml 'f': expected --grpc HOST:PORT beside it"),
        (
            {"grpc": Address("0.0.0.0", 1), "ratelimit_yaml": ("f",)},
            "grpc '0.0.0.0:1': other machines can reach it, and neither a secret nor TLS is set",
        ),
        (
            {"grpc": Address("0.0.0.0", 1), "ratelimit_yaml": ("f",), "secret": b"short"},
            "secret '(not shown)': ",
        ),
        ({"grpc": Address(path="/x"), "ratelimit_yaml": ("f",)}, "grpc 'unix:/x': expected HOST"),
    ],
)
def test_options_that_make_no_sense_are_named(options: dict[str, Any], text: str) -> None:
    """Beyond loopback it needs a secret, TLS, or an explicit word."""
    with pytest.raises(OptionError) as caught:
        config("n1", **options)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("trust", [{"secret": SECRET}, {"http_token": SECRET}, {"insecure": True}])
def test_beyond_loopback_it_is_served_with_a_reason(trust: dict[str, Any]) -> None:
    assert config("n1", grpc=Address("0.0.0.0", 1), ratelimit_yaml=("f",), **trust).grpc


# --- what it takes


@pytest.mark.parametrize(
    ("data", "code", "fault"),
    [
        (b"\xff", grpc.StatusCode.INVALID_ARGUMENT, "a number that doesn't end"),
        (b"", grpc.StatusCode.INVALID_ARGUMENT, "the domain is empty"),
        (b"\x0a\x04edge", grpc.StatusCode.INVALID_ARGUMENT, "there is no descriptor"),
        (b"\x0a\x04edge\x12\x00", grpc.StatusCode.INVALID_ARGUMENT, "a descriptor has no entry"),
        (
            b"\x0a\x04edge\x12\x09\x0a\x03\x0a\x01k\x12\x02\x10\x09",
            grpc.StatusCode.INVALID_ARGUMENT,
            "unit 9 of a limit: expected one of 1 (second)",
        ),
        (b"x" * (MAX_MESSAGE + 1), grpc.StatusCode.RESOURCE_EXHAUSTED, ""),
    ],
)
async def test_what_makes_no_sense_gets_an_error(
    stack: AsyncExitStack,
    tmp_path: Path,
    log: pytest.LogCaptureFixture,
    data: bytes,
    code: grpc.StatusCode,
    fault: str,
) -> None:
    """It is counted, and told; the next call is answered."""
    node, client = await serving(stack, tmp_path)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.raw(data)
    assert caught.value.code() is code
    assert fault in (caught.value.details() or "")
    assert fault in log.text
    assert (await client.call(ALICE)).overall_code == OK
    assert node.rls
    assert node.rls.counts.refused["malformed"] == bool(fault)


async def test_the_longest_fields_that_envoy_takes_are_no_way_around(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    """60 KiB in four descriptors: an error would have it let the request through."""
    _, client = await serving(stack, tmp_path)
    asked = request("edge", *([("user", "x" * (60 << 10))],) * 4)
    assert [it.limit_remaining for it in (await client.call(asked)).statuses][:3] == [2, 1, 0]
    assert (await client.call(asked)).overall_code == OVER


async def test_of_methods_there_are_two(stack: AsyncExitStack, tmp_path: Path) -> None:
    """Any other is unknown, and counted."""
    node, client = await serving(stack, tmp_path)
    code = await client.code_of(b"", method="/envoy.service.ratelimit.v2.RateLimitService/X")
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert node.rls
    assert node.rls.counts.refused["method"] == 1


async def test_any_bytes_are_an_answer_or_an_error(stack: AsyncExitStack, tmp_path: Path) -> None:
    """And nobody else notices."""
    _, client = await serving(stack, tmp_path)
    found: list[bytes] = []

    @given(st.binary(max_size=80))
    def collect(data: bytes) -> None:
        found.append(data)
        found.append(BYTES[: len(data)] + data)

    collect()
    codes = [await client.code_of(data) for data in found]
    assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}
    assert (await client.call(ALICE)).overall_code in {OK, OVER}


async def test_a_fault_of_ours_is_an_error_and_no_more(
    stack: AsyncExitStack,
    tmp_path: Path,
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log has it, and the next call is answered."""
    node, client = await serving(stack, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(rls_calls, "answer", None)
        assert await client.code_of(BYTES) is grpc.StatusCode.INTERNAL
    assert "a fault in sidegate" in log.text
    assert (await client.call(ALICE)).overall_code == OK
    assert node.rls
    assert node.rls.counts.refused["fault"] == 1


async def test_calls_at_a_time_are_bounded(
    stack: AsyncExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as may be are answered, all of one connection; those beyond get an error."""
    node, client = await serving(stack, tmp_path)
    held: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def hold(*_: object) -> list[object]:
        await held
        return []

    monkeypatch.setattr(rls_calls, "ask_together", hold)
    nothing = request("other", [("x", "y")]).SerializeToString()
    calls = [asyncio.create_task(client.code_of(nothing)) for _ in range(MAX_CALLS + 8)]
    done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    await eventually(lambda: sum(it.done() for it in calls) == 8)
    assert {it.result() for it in done} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    held.set_result(None)
    codes = Counter(await asyncio.gather(*calls))
    assert codes == {grpc.StatusCode.OK: MAX_CALLS, grpc.StatusCode.RESOURCE_EXHAUSTED: 8}
    assert (node.ready, (await client.health())) == (True, SERVING)


async def test_connections_are_bounded(stack: AsyncExitStack, tmp_path: Path) -> None:
    """Those beyond are closed, and those that were there are served on."""
    node, client = await serving(stack, tmp_path)
    assert await client.health() == SERVING
    address = address_of(node)
    strangers = [
        await asyncio.open_connection(address.host, address.port)
        for _ in range(MAX_CONNECTIONS + 20)
    ]
    for _, writer in strangers:
        stack.callback(writer.close)
    await eventually(lambda: sum(reader.at_eof() for reader, _ in strangers) >= 20)
    assert await client.health() == SERVING
