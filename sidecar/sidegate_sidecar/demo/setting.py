"""The setting of the demo: who takes part, and what all of them know."""

from __future__ import annotations

from typing import Final

NAMES: Final = ("a", "b", "c")
"""Of the sidecars, and of the app beside each."""

KEYS: Final = 6
"""API keys, numbered from 0."""

KEY_PREFIX: Final = "customer-"
"""What an API key begins with: by their hash, each of the three sidecars owns two of them."""

KEY_HEADER: Final = "x-api-key"

LIMIT: Final = "5/second"
"""Of each API key, over all apps."""

RULE: Final = "default"
"""What the middleware calls the rule that `limits=` makes."""

BUDGET: Final = 0.25
"""Seconds: five times the default, for seven processes may share a small machine."""

DRAIN: Final = 1.0
"""Seconds: at the end all go together, and the last one need not wait long for another."""

LOAD: Final = 3.0
"""How many times as many requests are sent as the limit allows."""
