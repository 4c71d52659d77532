"""Vouchers: which nodes were heard of others that don't answer us. Pure; times in ns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

LASTS = 10**9  # ns: twice as long as two probes of one node are apart while checks fail
RENEW_AFTER = 10**8  # ns: an answer that is on its way needs no second question


class _Voucher(NamedTuple):
    by: str
    at: int


class Vouchers:
    """Who has lately said that a node is there, though we get no answer from it.

    Then nothing is wrong with that node but the way from here to there, and who vouches for it
    knows another way.
    """

    def __init__(self) -> None:
        self._latest: dict[str, _Voucher] = {}  # no more than there are members

    def add(self, name: str, by: str, now: int) -> None:
        """Called when one node has heard from another."""
        self._latest[name] = _Voucher(by, now)

    def drop(self, name: str) -> None:
        """Forget what was said of a node: it is gone."""
        self._latest.pop(name, None)

    def is_fresh(self, name: str, now: int) -> bool:
        """Has somebody vouched for it just now?"""
        latest = self._latest.get(name)
        return latest is not None and now - latest.at < RENEW_AFTER

    def way_to(self, name: str, now: int, usable: Callable[[str], bool]) -> str:
        """Return by way of whom a node can be asked, "" if nobody is known to reach it."""
        latest = self._latest.get(name)
        if latest is None or now - latest.at > LASTS or not usable(latest.by):
            return ""
        return latest.by
