"""What begins anew in a forked process, where threads that held locks and loops that ran are gone.

One table for the process: what is registered for forks with the system stays so for ever, and what
is kept here goes when nobody else holds it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from typing import Protocol

    class Inherited(Protocol):
        """What a forked process has from its parent."""

        def begin_child(self) -> None:
            """Called in the forked process, before anything else there."""
            ...


_INHERITED: Final[WeakSet[Inherited]] = WeakSet()


def begins_in_children(inherited: Inherited) -> None:
    """Have it begin anew in each process that is forked from this one, as long as it lives."""
    _INHERITED.add(inherited)


def _begin_child() -> None:
    for inherited in list(_INHERITED):  # what begins anew may make others
        inherited.begin_child()


os.register_at_fork(after_in_child=_begin_child)
