"""Ours in the place of theirs in memory, by the address memory:// and by the name."""

from itertools import count
from secrets import token_hex
from typing import Any, Final

import limits.aio.storage
import limits.storage
import pytest
from limits._storage_scheme import SCHEMES

from sidegate.compat.limits import AsyncSidegateStorage, SidegateStorage

AMPLE: Final = 10.0  # seconds: on a busy machine an answer takes its time, and none would be open
_RUN: Final = token_hex(4)  # other runs ask the same sidecar
_NUMBERS: Final = count(1)


def take_over(sidecar: str) -> None:
    """Have their tests, and Flask-Limiter, make ours; each has limits of its own, as theirs."""
    address = f"sidegate://{sidecar}" if sidecar else "sidegate+memory://"

    class InMemory(SidegateStorage):
        def __init__(self, _: str | None = None, **options: Any) -> None:
            super().__init__(address, **_of_its_own(options))

    class AsyncInMemory(AsyncSidegateStorage):
        def __init__(self, _: str | None = None, **options: Any) -> None:
            super().__init__(f"async+{address}", **_of_its_own(options))

    SCHEMES.update({"memory": InMemory, "async+memory": AsyncInMemory})
    for module, ours in ((limits.storage, InMemory), (limits.aio.storage, AsyncInMemory)):
        pytest.MonkeyPatch().setattr(module, "MemoryStorage", ours)


def _of_its_own(options: dict[str, Any]) -> dict[str, Any]:
    return {"service": f"{_RUN}-{next(_NUMBERS)}", "budget": AMPLE, **options}
