"""The gRPC port when there is nobody to ask, no port, no file, or an end."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from sidegate.buckets.decision import OnUnreachable
from sidegate_sidecar.config import Role
from tests.sidecar.fronts.envoy.limits import serving
from tests.support.envoy.rls_client import OK, OVER
from tests.support.envoy.rls_proto import request
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
