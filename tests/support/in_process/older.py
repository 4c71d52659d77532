"""Sides of the release before levels: they say none, and end a connection on what is newer."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Union, cast

import msgspec
from msgspec import Struct

from sidegate.protocol.codec import Bytes, WireError
from sidegate.protocol.handshake import Identity
from sidegate.protocol.messages import Hello, Message
from tests.support.in_process.puppets import Puppet

FIRST_NEW_TAG = 27


class OlderHello(Struct, array_like=True, frozen=True, tag=0):
    """A Hello as it was."""

    version: int
    role: str
    name: str
    cluster: str
    nonce: bytes
    link: str
    dialled: str = ""
    ring: str = ""


class OlderIdentity(Identity):
    """Who says such a Hello."""

    def hello(self, nonce: bytes, dialled: str = "") -> Hello:
        """Return a Hello without a level."""
        new = super().hello(nonce, dialled)
        of = {name: getattr(new, name) for name in OlderHello.__struct_fields__}
        return cast("Hello", OlderHello(**of))


OLDER_KINDS: set[Any] = {
    kind
    for kind in Message.__args__
    if cast("int", kind.__struct_config__.tag) < FIRST_NEW_TAG and kind is not Hello
}
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Union[OlderHello, *OLDER_KINDS])


def decode_older(body: Bytes) -> Message:
    """Return a message as it was read then; WireError for one that wasn't there yet."""
    try:
        return cast("Message", _decoder.decode(body))
    except msgspec.DecodeError as error:
        raise WireError("bad-message", str(error)) from None


@asynccontextmanager
async def older_puppet(name: str = "n2") -> AsyncGenerator[Puppet]:
    """Run a node of that release."""
    acting = Puppet(OlderIdentity("node", name, "sidegate", link="127.0.0.1:9"))
    acting.decode = decode_older
    await acting.start()
    try:
        yield acting
    finally:
        await acting.stop()
