"""How long Envoy waits for an answer, as it says with what it asks. Pure."""

from __future__ import annotations

import math
from typing import Final

TIMEOUT: Final = "x-envoy-expected-rq-timeout-ms"


def expected_timeout(said: str) -> float:
    """Return the seconds that the field says, infinite if that is no number."""
    return int(said) / 1_000 if said.isdecimal() and len(said) < 12 else math.inf
