"""Passages: how often a node went through a stage, and how long that took."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Passage:
    """How often something was gone through, and how long all of them took (ns)."""

    count: int = 0
    total: int = 0
    overdue: int = 0  # ended by its deadline

    def add(self, took: int, *, overdue: bool) -> None:
        """Count one."""
        self.count += 1
        self.total += took
        self.overdue += overdue
