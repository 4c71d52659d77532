"""Asks a sidecar for a report ten times a second, until it is ended: `python -m … URL`.

In a process of its own: in that of the driver it would be in the latencies.
"""

from __future__ import annotations

import sys
import time
from typing import Final

import httpx2

EVERY: Final = 0.1  # seconds


def main() -> None:
    """Ask."""
    with httpx2.Client(trust_env=False) as http:
        while True:
            http.get(sys.argv[1]).raise_for_status()
            time.sleep(EVERY)


if __name__ == "__main__":
    main()
