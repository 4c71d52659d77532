"""A sidecar and puppets: in a ring with one of them from its start, or meeting some later."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx2

from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import eventually, key_of
from tests.support.in_process.http_client import beside, http
from tests.support.in_process.puppets import Puppet, puppet


class WithPuppet(NamedTuple):
    """A sidecar, a puppet, a client of the sidecar's HTTP API, and a key that the puppet owns."""

    node: Process
    other: Puppet
    client: httpx2.AsyncClient
    key: str


@asynccontextmanager
async def ring_with_puppet(**options: Any) -> AsyncGenerator[WithPuppet]:
    """Run a sidecar in a ring with a puppet."""
    async with puppet() as other, beside(other, **options) as node, http(node) as client:
        yield WithPuppet(node, other, client, key_of("puppet", node.cluster.ring))


async def meet(node: Process, *puppets: Puppet) -> None:
    """Have a sidecar dial puppets, and wait until all are on its ring."""
    node.peers.meet([it.address for it in puppets])
    await eventually(lambda: all(it.me.name in node.cluster.ring for it in puppets))
