"""What a sidecar is told: every option once, with its default and what must hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_network
from re import compile as regular
from socket import gethostname
from typing import TYPE_CHECKING

from sidegate.buckets.decision import OnUnreachable
from sidegate.buckets.store import MAX_MEMORY
from sidegate.client.config import DEFAULT_BUDGET, MAX_BUDGET
from sidegate.link.address import Address, parse_address
from sidegate.protocol.handshake import MAX_NAME_BYTES, is_name
from sidegate.protocol.report_messages import MAX_TOP
from sidegate.protocol.standing_messages import OnSplit
from sidegate.trust.secrets import MIN_BYTES, parse_secrets, require_long
from sidegate_sidecar.reports.activity import RULE_BYTES, RULES
from sidegate_sidecar.reports.shown_keys import ShownKeys, shown_key
from sidegate_sidecar.sizes import size_text

if TYPE_CHECKING:
    from sidegate.trust.secrets import SecretFile
    from sidegate.trust.tls import Tls

DEFAULT_PROXIES = ("127.0.0.1", "::1")  # not all of 127.0.0.0/8: a mesh shows others as 127.0.0.6
DEFAULT_LINK = "127.0.0.1:7171"
DEFAULT_HTTP = "127.0.0.1:7172"
CACHE_BYTES = 64 << 20  # values: what an app would keep in a small Redis
DEFAULT_CACHE_BYTES = size_text(CACHE_BYTES)
MIN_CACHE_BYTES = 1 << 20  # with less, no value of over half a MiB would ever fit
DEFAULT_MEMORY = size_text(MAX_MEMORY)  # for a million keys
DEFAULT_REPORT_MEMORY = size_text(RULE_BYTES)
MIN_MEMORY = 1 << 20  # bytes: with less, a sidecar forgets the busiest of its keys
MAX_CONNECTIONS = 4_096  # two a peer and one a worker process: far more than a pod has
DEFAULT_DRAIN = 10.0  # seconds: a third of what Kubernetes gives a pod to end
MAX_DRAIN = 3_600.0  # seconds: no one waits longer for a process to end
DEFAULT_SOCKET_MODE = 0o660  # its user and its group: whoever may use it needs no secret
MAX_SOCKET_MODE = 0o777
MIN_RING_SEED_BYTES = 16  # fewer could be tried one by one against the fingerprint in a Hello
MAX_RING_SEED_BYTES = 1_024  # a text for people or a key: a wrong path is not read to its end
MAX_REPORT_RULES = MAX_TOP - 1  # with one for the rest, rows of all of them fit into a part
MIN_REPORT_MEMORY = 64 << 10  # bytes: with less, a few keys
MAX_PATH_BYTES = 103  # of a Unix socket: macOS takes no more, Linux 107

_HOST = regular(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63}){0,20}")
_ZONE = regular(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")  # as values of labels are

_EXPOSED = (
    "other machines can reach it, and neither a secret nor TLS is set: anyone there could spend,"
    " read and reset limits. Give --secret-file (or SIDEGATE_SECRET), or --tls-cert, --tls-key and"
    " --tls-ca; or --insecure if the network keeps others out"
)


class Role(StrEnum):
    """What a node is for. A leaf forwards checks and owns no keys: for fleets too large for all."""

    OWNER = "owner"
    LEAF = "leaf"


class OptionError(ValueError):
    """An option that can't be used. `option` is its name on the command line, without dashes."""

    def __init__(self, option: str, value: object, why: str) -> None:
        super().__init__(option, value, why)
        self.option = option
        self.value = value
        self.why = why

    def __str__(self) -> str:
        return f"{self.option} {str(self.value)!r}: {self.why}"


def secrets_in(text: bytes, option: str = "secret") -> tuple[bytes, ...]:
    """Return the secrets in such an option, none in an empty one; OptionError for nonsense."""
    try:
        return parse_secrets(text) if text else ()
    except ValueError as error:
        raise OptionError(option, "(not shown)", str(error)) from None


def require_ring_seed(option: str, shown: str, seed: bytes) -> None:
    """Raise OptionError for a seed of the ring that is too short or too long."""
    if not MIN_RING_SEED_BYTES <= len(seed) <= MAX_RING_SEED_BYTES:
        why = (
            f"expected {MIN_RING_SEED_BYTES} to {MAX_RING_SEED_BYTES:,} bytes, such as"
            f" `openssl rand -hex 32` makes, not {len(seed):,}"
        )
        raise OptionError(option, shown, why)


@dataclass(frozen=True, slots=True)
class Config:
    """The options of one sidecar. OptionError names the one that can't be used, and why."""

    name: str = field(default_factory=gethostname)
    link: Address = field(default_factory=lambda: parse_address(DEFAULT_LINK))
    http: Address = field(default_factory=lambda: parse_address(DEFAULT_HTTP))
    http_hosts: tuple[str, ...] = ()  # names by which people ask for it
    resp: Address | None = None  # where clients of Redis ask; None: nowhere
    auth: Address | None = None  # where proxies ask whether a request may go on; None: nowhere
    auth_proxies: tuple[str, ...] = DEFAULT_PROXIES  # networks of those that need no secret
    socket: str = ""
    socket_mode: int = DEFAULT_SOCKET_MODE
    seeds: tuple[Address, ...] = ()
    cluster: str = "sidegate"
    secret: bytes = field(default=b"", repr=False)  # or several, one a line
    secret_file: SecretFile | None = None  # has the last word
    node_secret: bytes = field(default=b"", repr=False)  # what makes a node; empty: the secret
    node_secret_file: SecretFile | None = None
    http_token: bytes = field(default=b"", repr=False)  # what HTTP asks for; empty: the secret
    http_token_file: SecretFile | None = None
    ring_seed: bytes = field(default=b"", repr=False)  # empty: anyone can tell who owns a key
    tls: Tls | None = None
    insecure: bool = False
    on_unreachable: OnUnreachable = OnUnreachable.OPEN
    on_split: OnSplit = OnSplit.OPTIMISTIC
    budget: float = DEFAULT_BUDGET  # seconds
    max_memory: int = MAX_MEMORY  # bytes, of the table of buckets
    cache_bytes: int = CACHE_BYTES  # what values may take; 0: there is no cache
    max_connections: int = MAX_CONNECTIONS
    role: Role = Role.OWNER
    zone: str = ""  # where it runs; empty: it doesn't say
    drain: float = DEFAULT_DRAIN  # seconds
    state_file: str = ""  # path; empty: nothing is saved
    rules: str = ""  # path of a rules file; empty: there is none
    report_rules: int = RULES  # 0: nothing is counted for reports
    report_memory: int = RULE_BYTES  # bytes, of each rule
    report_keys: ShownKeys = ShownKeys.PLAIN
    otel: bool = False  # spans of the checks that apps trace
    grpc: Address | None = None  # for Envoy's rate limit service; None: it isn't served
    ratelimit_yaml: tuple[str, ...] = ()  # paths of files that it decides by; none: by the rules

    def __post_init__(self) -> None:
        for option, value in (("name", self.name), ("cluster", self.cluster)):
            if not is_name(value):
                why = f"expected 1 to {MAX_NAME_BYTES} bytes of printable text"
                raise OptionError(option, value, why)
        for option, address in self._addresses():
            if address.path:
                why = "expected HOST:PORT; a Unix socket for apps goes to --socket"
                raise OptionError(option, address, why)
        if len(self.socket.encode()) > MAX_PATH_BYTES:
            why = f"expected at most {MAX_PATH_BYTES} bytes, what the system takes"
            raise OptionError("socket", self.socket, why)
        if not 0 <= self.socket_mode <= MAX_SOCKET_MODE:
            raise OptionError("socket-mode", f"{self.socket_mode:o}", "expected 0 to 777, in octal")
        if self.ring_seed:
            require_ring_seed("ring-seed", "(not shown)", self.ring_seed)
        self._check_names()
        self._check_numbers()
        self._check_secrets()
        self._check_grpc()
        self._check_auth()

    def _check_names(self) -> None:
        if self.zone and not _ZONE.fullmatch(self.zone):
            why = "expected up to 63 letters, digits, '-', '_' and '.', as a label has them"
            raise OptionError("zone", self.zone, why)
        for host in self.http_hosts:
            if not _HOST.fullmatch(host):
                why = "expected the name of a host, without a scheme or a port"
                raise OptionError("http-host", host, why)

    def secrets(self) -> tuple[bytes, ...]:
        """Return the secrets of apps that hold now: the first is shown, all are accepted; or none.

        They are those of nodes and of HTTP as well, where these have none of their own.
        """
        return self._held("secret", self.secret, self.secret_file)

    def node_secrets(self) -> tuple[bytes, ...]:
        """Return the secrets of nodes that hold now."""
        return self._own_node_secrets() or self.secrets()

    def http_tokens(self) -> tuple[bytes, ...]:
        """Return what HTTP takes now from who may change something; or nothing."""
        return self._own_http_tokens() or self.secrets()

    def _own_node_secrets(self) -> tuple[bytes, ...]:
        return self._held("node-secret", self.node_secret, self.node_secret_file)

    def _own_http_tokens(self) -> tuple[bytes, ...]:
        return self._held("http-token", self.http_token, self.http_token_file)

    def alike(self) -> str:
        """Return which of the secrets that hold now are the same and shouldn't be; mostly none."""
        apps, nodes, http = self.secrets(), self._own_node_secrets(), self._own_http_tokens()
        for one, other, fault in (
            (nodes, apps, "node-secret: expected another than the secret, or any app is a node"),
            (http, apps, "http-token: expected another than the secret, as HTTP is overheard"),
            (http, nodes, "http-token: expected another than that of nodes, as HTTP is overheard"),
        ):
            if set(one) & set(other):
                return fault
        return ""

    def _held(self, option: str, text: bytes, file: SecretFile | None) -> tuple[bytes, ...]:
        return file() if file else secrets_in(text, option)

    def _check_secrets(self) -> None:
        """Raise OptionError if others can reach what no secret guards, or one that is too weak."""
        apps, nodes, http = self.secrets(), self._own_node_secrets(), self._own_http_tokens()
        if not (self.link.is_local or apps or self.tls or self.insecure):
            raise OptionError("link", self.link, _EXPOSED)
        for option, front in (("resp", self.resp), ("auth", self.auth)):
            by_front = front is not None and not front.is_local
            if by_front and not (apps or http or self.tls or self.insecure):
                raise OptionError(option, front, _EXPOSED)
        if fault := self.alike():
            option, _, expected = fault.partition(": ")
            raise OptionError(option, "(not shown)", expected)
        on_link = not self.link.is_local
        as_node = on_link or any(not seed.is_local for seed in self.seeds)  # it is shown to those
        others = (self.grpc, self.resp, self.auth)
        fronts = [self.http, *(it for it in others if it is not None)]
        by_http = not all(it.is_local for it in fronts)
        if on_link or (as_node and not nodes) or (by_http and not http):
            self._demand_length("secret", apps, self.secret_file)
        if as_node:
            self._demand_length("node-secret", nodes, self.node_secret_file)
        if by_http:
            self._demand_length("http-token", http, self.http_token_file)

    def _check_grpc(self) -> None:
        """Raise OptionError if gRPC has nothing to decide by, or others can reach it unguarded."""
        if self.grpc is None:
            if self.ratelimit_yaml:
                why = "expected --grpc HOST:PORT beside it, where Envoy asks for its limits"
                raise OptionError("ratelimit-yaml", self.ratelimit_yaml[0], why)
            return
        if not (self.ratelimit_yaml or self.rules):
            why = "expected --rules FILE or --ratelimit-yaml FILE beside it: what is limited"
            raise OptionError("grpc", self.grpc, why)
        if not (self.grpc.is_local or self.http_tokens() or self.tls or self.insecure):
            raise OptionError("grpc", self.grpc, _EXPOSED)

    def _check_auth(self) -> None:
        """Raise OptionError if proxies have nothing to ask by, or too many would be believed."""
        if self.auth is not None and not self.rules:
            why = "expected --rules FILE beside it, which says what is limited"
            raise OptionError("auth", self.auth, why)
        for network in self.auth_proxies:
            try:
                is_everyone = not ip_network(network).prefixlen
            except ValueError as error:
                raise OptionError("auth-proxies", network, f"expected networks: {error}") from None
            if is_everyone:
                why = "expected the networks of proxies: whom all believe says who it likes to be"
                raise OptionError("auth-proxies", network, why)

    def _demand_length(self, option: str, held: tuple[bytes, ...], file: SecretFile | None) -> None:
        try:
            if file:
                file.demand(MIN_BYTES)
            else:
                require_long(held)
        except ValueError as error:
            name, value = (f"{option}-file", file.path) if file else (option, "(not shown)")
            raise OptionError(name, value, str(error)) from None

    @property
    def can_be_aimed_at(self) -> bool:
        """May strangers who make up keys know which node will own them?"""
        return not (self.ring_seed or self.link.is_local)

    @property
    def opens_on_split(self) -> bool:
        """Would the smaller side of a split, which is to decide nothing, let everyone through?"""
        is_quorum = self.on_split is OnSplit.QUORUM
        return is_quorum and self.on_unreachable is OnUnreachable.OPEN

    @property
    def report_bytes(self) -> int:
        """What all counts for reports take of the memory, at most: of rules, and of events."""
        return 2 * (self.report_rules + 1) * self.report_memory if self.report_rules else 0

    @property
    def shown_keys(self) -> ShownKeys:
        """How keys are shown: never plain where other machines can ask, and need no secret."""
        http, apps = self.http.is_local or self.http_tokens(), self.link.is_local or self.secrets()
        is_open = not (http and (apps or self.tls))
        is_plain = self.report_keys is ShownKeys.PLAIN
        return ShownKeys.MASKED if is_plain and is_open else self.report_keys

    def shown_key(self, key: str) -> str:
        """Return a key as it is shown to whoever asks for a report."""
        return shown_key(key, self.shown_keys, self.ring_seed)

    def _addresses(self) -> list[tuple[str, Address]]:
        fronts = (
            ("http", self.http),
            ("grpc", self.grpc),
            ("resp", self.resp),
            ("auth", self.auth),
        )
        given = [(option, it) for option, it in fronts if it is not None]
        seeds = [("seed", seed) for seed in self.seeds]
        return [("link", self.link), *given, *seeds]

    def _check_numbers(self) -> None:
        times = (("budget", self.budget, MAX_BUDGET), ("drain", self.drain, MAX_DRAIN))
        for option, seconds, most in times:
            if not 0 < seconds <= most:
                why = f"expected seconds, above 0 and at most {most:g}"
                raise OptionError(option, seconds, why)
        if self.max_memory < MIN_MEMORY:
            why = f"expected at least {size_text(MIN_MEMORY)}"
            raise OptionError("max-memory", size_text(self.max_memory), why)
        if not 0 <= self.report_rules <= MAX_REPORT_RULES:
            why = f"expected a whole number from 0 (no reports) to {MAX_REPORT_RULES:,}"
            raise OptionError("report-rules", self.report_rules, why)
        if self.report_memory < MIN_REPORT_MEMORY:
            why = f"expected at least {size_text(MIN_REPORT_MEMORY)}"
            raise OptionError("report-memory", size_text(self.report_memory), why)
        if self.cache_bytes and self.cache_bytes < MIN_CACHE_BYTES:
            why = f"expected 0, or at least {size_text(MIN_CACHE_BYTES)}"
            raise OptionError("cache-bytes", size_text(self.cache_bytes), why)
        if self.max_connections < 1:
            raise OptionError("max-connections", self.max_connections, "expected at least 1")
