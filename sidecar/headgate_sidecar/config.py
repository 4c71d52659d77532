"""What a sidecar is told: every option once, with its default and what must hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from socket import gethostname
from typing import TYPE_CHECKING

from headgate.address import Address, parse_address
from headgate.fallback import OnUnreachable
from headgate.options import DEFAULT_BUDGET, MOST_BUDGET

if TYPE_CHECKING:
    from headgate.options import Tls

DEFAULT_LINK = "127.0.0.1:7171"
DEFAULT_HTTP = "127.0.0.1:7172"
MOST_KEYS = 1_000_000  # about 200 MB; a pod that needs more wants more nodes
MOST_CONNECTIONS = 4_096  # two a peer and one a worker process: far more than a pod has


@dataclass(frozen=True, slots=True)
class Config:
    """The options of one sidecar. ValueError names the one that can't be used, and why."""

    name: str = field(default_factory=gethostname)
    link: Address = field(default_factory=lambda: parse_address(DEFAULT_LINK))
    http: Address = field(default_factory=lambda: parse_address(DEFAULT_HTTP))
    socket: str = ""
    seeds: tuple[Address, ...] = ()
    cluster: str = "headgate"
    secret: bytes = b""
    tls: Tls | None = None
    insecure: bool = False
    on_unreachable: OnUnreachable = OnUnreachable.OPEN
    budget: float = DEFAULT_BUDGET  # seconds
    most_keys: int = MOST_KEYS
    most_connections: int = MOST_CONNECTIONS

    def __post_init__(self) -> None:
        if not self.name or len(self.name.encode()) > 253:
            raise ValueError(f"name {self.name!r}: expected 1 to 253 bytes")
        if self.link.path or self.http.path:
            raise ValueError("link and http: expected HOST:PORT; a Unix socket goes to --socket")
        if not 0 < self.budget <= MOST_BUDGET:
            raise ValueError(f"budget {self.budget!r}: expected seconds, above 0 and at most 60")
        for name, value in (("most-keys", self.most_keys), ("connections", self.most_connections)):
            if value < 1:
                raise ValueError(f"{name} {value}: expected at least 1")
        if not (self.link.is_local or self.secret or self.tls or self.insecure):
            raise ValueError(
                f"link {self.link} can be reached from other machines, and neither a secret nor TLS"
                " is set: anyone there could spend, read and reset limits. Give --secret-file (or"
                " HEADGATE_SECRET), or --tls-cert, --tls-key and --tls-ca; or --insecure if the"
                " network keeps others out"
            )
