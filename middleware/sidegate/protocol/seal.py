"""A seal: the tags by which a side knows that frames are the other's, in order and whole. Pure.

Where a handshake was proved with a secret and nothing else protects the bytes, each frame carries
a tag behind it. It is a keyed BLAKE2b over all frames so far in its direction, so whoever passes
the bytes on can cut a connection short and do nothing else to it: a frame that is made up, changed,
left out, sent again, or moved spoils its own tag and those of all that follow.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest

TAG_BYTES = 16  # one guess in 2**128 is right, and the first that is wrong ends the connection
_HEADER_BYTES = 4  # of a frame: its length, without the tag


class Seal:
    """The tags of one direction of one connection: use one side of it, for every frame in turn.

    This is hot: a tag costs 0.6 µs (1.4 where the code isn't in the CPU's cache), and a byte 1.6
    ns. A hash that goes on takes two thirds of the time of one for each frame with a counter in it,
    and can't be used without its order.
    """

    __slots__ = ("_digest", "_update")

    def __init__(self, key: bytes) -> None:
        stream = blake2b(key=key, digest_size=TAG_BYTES)
        self._update, self._digest = stream.update, stream.digest  # looked up once

    def sealed(self, frame: bytes) -> bytes:
        """Return the next frame that is sent, with its tag."""
        self._update(frame)
        return frame + self._digest()

    def all_sealed(self, frames: bytes) -> bytes:
        """Return the next frames that are sent, one behind the other, each with its tag."""
        parts: list[bytes] = []
        start = 0
        while start < len(frames):
            body = start + _HEADER_BYTES
            end = body + int.from_bytes(frames[start:body], "big")
            parts.append(self.sealed(frames[start:end]))  # of one, mostly, this is no copy
            start = end
        return b"".join(parts)

    def opened(self, sealed: bytes | memoryview) -> bytes | memoryview | None:
        """Return the body of the next frame that came; None if it isn't the next one."""
        self._update(sealed[:-TAG_BYTES])
        if compare_digest(self._digest(), sealed[-TAG_BYTES:]):
            return sealed[_HEADER_BYTES:-TAG_BYTES]
        return None
