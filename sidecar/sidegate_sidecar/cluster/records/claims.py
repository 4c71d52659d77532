"""Claims: which of the processes that have a node's name it belongs to, as the nodes know. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate_ring.membership.messages import TAG_BITS, tag_of

if TYPE_CHECKING:
    from sidegate.protocol.messages import Hello
    from sidegate_ring.membership.membership import Member


def tag_of_process(nonce: bytes) -> int:
    """Return what a process is told by from others of its name; its nonces begin with it."""
    return int.from_bytes(nonce[:8], "big") >> (64 - TAG_BITS)


def has_claimed(member: Member | None, hello: Hello) -> bool | None:
    """Tell if the name that a node says it has is its own; None if nobody alive has claimed it."""
    if member is None or not member.living or not member.claim:
        return None
    return tag_of(member.claim) == tag_of_process(hello.nonce)
