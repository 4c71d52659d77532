"""Stand-ins for modules that their conftests import, for tests that aren't run."""

import sys
from types import ModuleType
from typing import Final

CLIENTS: Final = ("pymemcache", "pymemcache.client", "pymongo", "valkey")  # of databases


def stand_in() -> None:
    """Have them imported, though they aren't installed."""
    for name in CLIENTS:
        sys.modules[name] = ModuleType(name)
    lazy = ModuleType("pytest_lazy_fixtures")
    vars(lazy)["lf"] = str
    sys.modules["pytest_lazy_fixtures"] = lazy
