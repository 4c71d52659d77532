"""A client connected to a puppet or to nobody, and what the puppet says to its checks."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sidegate.client.client import Client
from sidegate.client.session import Session
from sidegate.link.health import LinkState
from sidegate.protocol.messages import Answer, Answers, Checks
from tests.support.in_process.cluster import client, eventually, link_of
from tests.support.in_process.puppets import Puppet, puppet

SOON = 0.05  # seconds: a budget that is to run out


@asynccontextmanager
async def pair(**options: Any) -> AsyncGenerator[tuple[Client, Puppet]]:
    """Connect a client to a puppet."""
    async with puppet() as other, client(other.address, **options) as asking:
        session_of(asking)
        await eventually(lambda: other.connections)
        yield asking, other


@asynccontextmanager
async def nobody(**options: Any) -> AsyncGenerator[Client]:
    """Make a client for an address where nobody listens, and that knows it."""
    async with puppet() as other:
        address = other.address
    async with client(address, **options) as asking:
        await asking.check("first", "5/day")
        yield asking


def session_of(asking: Client) -> Session:
    """Return what it has in this loop, which begins to dial."""
    return asking._here()


def link_state(asking: Client) -> LinkState:
    return link_of(asking).state


async def say(other: Puppet, *answers: Answer, source: str = "owner", **fields: Any) -> Checks:
    """Answer the next frame of checks."""
    frame = await other.hear(Checks)
    await other.say(Answers(frame.id, source, "n7", None, list(answers), **fields))
    return frame
