"""Frames byte by byte: the contract for clients in other languages, also in internals/protocol.md.

A change here is a change of the protocol: it breaks every client and every rolling deploy that
mixes two releases. Add a version instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.middleware.protocol.frames.apps import APPS
from tests.middleware.protocol.frames.checks import CHECKS
from tests.middleware.protocol.frames.handshake import HANDSHAKE
from tests.middleware.protocol.frames.nodes import NODES

if TYPE_CHECKING:
    from sidegate.protocol.messages import Message

SEALED: dict[str, str] = {
    "key of the dialling side": "a208f59c324288a9c0a5c8b0355dd64c49d6472d51a29b2fe7bad8a384463713",
    "key of the accepting side": "284bad4e56c5660a729f69ba6ca73d667332737e42661d1c3bfa48d0580d1beb",
    "tag of Checks": "91155dd23c73bc149f5630a85d5730ad",
    "tag of Ping": "76597a2b444ae0108ca04b13429488b3",
    "tag of Answers to all": "d596a3da94f40f67461734e22ac69850",
    "tag of Pong": "63495997546433e32c5bcca327915506",
}
"""What seals the frames behind the handshake of APP and NODE: the keys, and the tags of the first
two frames that each of them sends, if they are these."""


def frame_of(text: str) -> bytes:
    """Return the bytes of a text of hex digits, in which # starts a comment."""
    return bytes.fromhex("".join(line.partition("#")[0] for line in text.splitlines()))


GOLDEN: dict[str, tuple[Message, str]] = {**HANDSHAKE, **CHECKS, **APPS, **NODES}
"""By its name in that page, each message, and its bytes as a text for `frame_of`."""
