"""Two real sides of a handshake over a fake wire."""

import msgspec
import pytest

from sidegate.protocol.codec import HEADER_BYTES, WireError, decode, encode
from sidegate.protocol.handshake import PLAIN, Accepting, Dialling, Handshake, Identity
from sidegate.protocol.messages import Hello, Message
from sidegate.trust.secrets import known
from tests.middleware.golden import APP, NODE, SECRET

NONCES = bytes(range(32)), bytes(range(32, 64))


def identity(of: Hello, *secrets: bytes) -> Identity:
    return Identity(
        of.role, of.name, of.cluster, known(*secrets), of.link, ring=of.ring, level=of.level
    )


def welcome_all(_hello: Hello) -> None:
    """Let everybody in."""


class Pair:
    """Both sides of one connection, and what crossed the wire, frame by frame."""

    def __init__(
        self,
        dialler: Identity | None = None,
        acceptor: Identity | None = None,
        *,
        trust_apps: bool = False,
        nonces: tuple[bytes, bytes] = NONCES,
        channels: tuple[bytes, bytes] = (PLAIN, PLAIN),
        dialled: str = APP.dialled,
    ) -> None:
        self.dialler = Dialling(dialler or identity(APP, SECRET), nonces[0], dialled)
        self.acceptor = Accepting(
            acceptor or identity(NODE, SECRET),
            nonces[1],
            approve=welcome_all,
            trust_apps=trust_apps,
        )
        self.dialler.channel, self.acceptor.channel = channels
        self.frames: list[bytes] = []

    @property
    def is_up(self) -> bool:
        """Are both sides done?"""
        return self.dialler.done and self.acceptor.done

    def run(self) -> None:
        """Carry frames to and fro until nobody has anything to say. WireError from either side."""
        frame = self.dialler.opening()
        sides: list[Handshake] = [self.acceptor, self.dialler]
        while frame:
            self.frames.append(frame)
            frame = sides[0].receive(frame[HEADER_BYTES:])
            sides.reverse()


def refused(pair: Pair) -> None:
    """Run a handshake that fails for want of the right secret."""
    with pytest.raises(WireError, match=r"\(secret\)"):
        pair.run()


def body_of(message: Message) -> bytes:
    return encode(message)[HEADER_BYTES:]


def tampered(frame: bytes, change: dict[str, str | bytes]) -> bytes:
    """Return a Hello with some fields changed."""
    hello = decode(frame[HEADER_BYTES:])
    return encode(msgspec.structs.replace(hello, **change)) if change else frame
