"""Files of limits for tests, and sidecars that serve Envoy by them."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from sidegate.link.address import Address
from sidegate_sidecar.process import Process
from tests.support.envoy.rls_client import RlsClient, rls_client
from tests.support.in_process.cluster import LOOPBACK, running

EDGE: Final = """
domain: edge
descriptors:
  - key: user
    rate_limit: {name: by-user, unit: hour, requests_per_unit: 3}
  - key: all
    rate_limit: {unit: day, requests_per_unit: 100}
  - {key: free, rate_limit: {unlimited: true}}
  - {key: banned, rate_limit: {unit: second, requests_per_unit: 0}}
  - {key: tried, shadow_mode: true, rate_limit: {unit: hour, requests_per_unit: 1}}
  - {key: soft, quota_mode: true, rate_limit: {unit: hour, requests_per_unit: 1}}
  - {key: softer, quota_mode: true, rate_limit: {unit: hour, requests_per_unit: 2}}
  - key: vip
    rate_limit: {unit: hour, requests_per_unit: 5, replaces: [{name: by-user}]}
"""


def address_of(node: Process) -> Address:
    """Return where a sidecar serves Envoy."""
    assert node.rls is not None
    return node.rls.address


async def serving(
    stack: AsyncExitStack, folder: Path, text: str = EDGE, **options: Any
) -> tuple[Process, RlsClient]:
    """Run a sidecar that decides by these limits, and a client that asks it."""
    file = folder / "limits.yaml"
    file.write_text(text)
    given = {"grpc": LOOPBACK, "ratelimit_yaml": (str(file),), **options}
    node = await running(stack, "n1", **given)
    client = await stack.enter_async_context(rls_client(address_of(node)))
    return node, client
