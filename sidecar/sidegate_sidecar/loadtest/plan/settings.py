"""An order: one run of the load generator, with all that its user chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidegate_sidecar.loadtest.plan.scenario import Scenario

MAX_IN_FLIGHT: Final = 1_000  # requests: 3 s of 300 a second; each has a connection of its own
TIMEOUT: Final = 5.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is sent where, and where the report goes ("" for nowhere). `timeout` in seconds.

    There is no user or password in `url`: they are in `headers`. A key of a stream is
    "<prefix>-<stream>-<number>". `crashes` is the path of a file that may come to be during the
    run.
    """

    url: str
    scenario: Scenario
    name: str = ""
    """Of the scenario; "" for a single stream from options."""
    key_prefix: str
    seed: int
    headers: Mapping[str, str]
    timeout: float = TIMEOUT
    max_in_flight: int = MAX_IN_FLIGHT
    tolerated: int = 0
    crashes: str = ""
    json: str = ""
    html: str = ""

    @property
    def urls(self) -> list[str]:
        """The address of each stream: its path after that of the URL, or the URL itself."""
        base = self.url.rstrip("/")
        return [
            self.url if stream.path is None else base + stream.path
            for stream in self.scenario.streams
        ]

    @property
    def key_names(self) -> list[str]:
        """What the keys of each stream begin with."""
        return [f"{self.key_prefix}-{stream.name}-" for stream in self.scenario.streams]
