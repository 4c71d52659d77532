"""A puppet that keeps the bodies of the frames of checks that an app sends it, and allows all."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from sidegate.link.address import Address
from sidegate.protocol.codec import Bytes, tracing_decoder
from sidegate.protocol.messages import Answers, Message, TracedChecks
from tests.support.in_process.puppets import puppet


class Wire:
    """What has come to `address`."""

    def __init__(self, address: Address) -> None:
        self.address = str(address)
        self.bodies: list[bytes] = []
        self._read = tracing_decoder()

    def decode(self, body: Bytes) -> Message:
        """Read a body, and keep it if it is a frame of checks."""
        message = self._read(body)
        if isinstance(message, TracedChecks):
            self.bodies.append(bytes(body))
        return message

    @property
    def frames(self) -> list[TracedChecks]:
        """The frames of checks that have come."""
        messages = [self._read(body) for body in self.bodies]
        return [it for it in messages if isinstance(it, TracedChecks)]


@asynccontextmanager
async def wire() -> AsyncGenerator[Wire]:
    """Listen as a sidecar that allows all checks."""
    async with puppet() as other:
        listening = Wire(other.address)
        other.decode = listening.decode

        async def answer_all() -> None:
            while True:
                frame = await other.hear(TracedChecks, within=3600)
                allowed = [[1, 1]] * len(frame.checks)
                await other.say(Answers(frame.id, "owner", "puppet", None, [*allowed]))

        answering = asyncio.create_task(answer_all())
        try:
            yield listening
        finally:
            answering.cancel()
            with suppress(asyncio.CancelledError):
                await answering
