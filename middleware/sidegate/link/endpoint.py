"""An endpoint: where a sidecar is, and how to talk to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.link.address import Address
    from sidegate.protocol.handshake import Identity
    from sidegate.protocol.messages import Check
    from sidegate.telemetry.checks import CheckTelemetry
    from sidegate.trust.tls import Tls


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The sidecar of a client, as its options say, which were checked."""

    sidecar: Address
    budget: float
    identity: Identity
    tls: Tls | None
    fault: str = ""  # what is wrong with the environment; then nobody is asked
    instead: Callable[[Check, Limits], Decision] | None = None  # who decides, if nobody is asked
    telemetry: CheckTelemetry | None = None  # spans and counts, where they are switched on
    leases: bool = True  # may tokens of busy keys be borrowed?

    def context(self) -> ssl.SSLContext | None:
        """Return the TLS context for one connection, None on a Unix socket or without TLS.

        ValueError names a file that can't be used.
        """
        return self.tls.context() if self.tls and not self.sidecar.path else None
