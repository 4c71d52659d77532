"""A detour: where checks go while this node lacks what others decided of keys that are its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate_ring.hashring import Ring
    from sidegate_sidecar.replication.copies import Copies


class Detour:
    """The ring, but for keys of `me` of which it doesn't `hold` everything.

    Those go to their backup. Only for as long as nodes still have something to send: it costs each
    check a microsecond.
    """

    def __init__(self, ring: Ring, me: str, hold: Callable[[str], bool]) -> None:
        self.nodes = ring.nodes
        self._ring = ring
        self._me = me
        self._hold = hold

    def __contains__(self, node: object) -> bool:
        return node in self._ring

    def pair(self, key: str) -> tuple[str, str]:
        """Return who decides about a key, and who is next."""
        pair = self._ring.pair(key)
        return pair if pair[0] != self._me or self._hold(key) else (pair[1], "")

    def surely_owns(self, name: str, rows: object) -> bool:
        """Say nothing of any key: each is to be looked at."""
        del name, rows
        return False


def route_of(ring: Ring, copies: Copies, me: str, *, told: bool, new: bool) -> Ring | Detour:
    """Return where checks go: by the ring, but for `me` as far as it mustn't decide.

    That is all of its own before it was `told` what others decided for it, and then those keys of
    which somebody still has to send it something. While it is `new` on the ring, those go to who
    owned them until then, by the ring without it; else its backups have stood in.
    """
    if me not in ring or (told and copies.is_settled):
        return ring
    if not told and (new or not ring.is_zoned):  # without zones the former owner is the backup
        return ring.without_node(me)
    return Detour(ring, me, copies.hold if told else _holds_nothing)


def _holds_nothing(_key: str) -> bool:
    return False
