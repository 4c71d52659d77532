"""The options of `sidegate serve`: what each is for, as its help says it."""

from __future__ import annotations

from typing import Annotated

import typer

from sidegate.buckets.decision import OnUnreachable
from sidegate.protocol.standing_messages import OnSplit
from sidegate_sidecar.cli.options.declaration import option
from sidegate_sidecar.config import DEFAULT_PROXIES, Role
from sidegate_sidecar.reports.shown_keys import ShownKeys
from sidegate_sidecar.telemetry.logs import LEVELS

_WHO = "Who and where"
_TRUST = "Trust"
_BEHAVIOUR = "Behaviour"

Name = Annotated[
    str, option("name", "NAME", "Name of this node on the ring; unique.", _WHO, "host name")
]
Link = Annotated[
    str, option("link", "HOST:PORT", "Where to listen for apps and for other nodes.", _WHO)
]
SocketPath = Annotated[
    str, option("socket", "PATH", "Where to listen for apps on a Unix socket as well.", _WHO)
]
SocketMode = Annotated[
    str,
    option(
        "socket-mode",
        "OCTAL",
        "Who may use that socket, as for chmod: 660 its user and group, 666 everyone who can reach"
        " the file.",
        _WHO,
    ),
]
Http = Annotated[str, option("http", "HOST:PORT", "Where to serve the HTTP API.", _WHO)]
HttpHosts = Annotated[
    list[str],
    option(
        "http-host",
        "NAME",
        "A further host name that requests may ask for, such as that of a proxy. Addresses,"
        " localhost, names without dots and those within a cluster (.svc) need none. Repeat it, or"
        " separate several by commas.",
        _WHO,
    ),
]
Resp = Annotated[
    str,
    option(
        "resp",
        "HOST:PORT",
        "Where to serve checks to clients of Redis as well, as CL.THROTTLE. They show what HTTP"
        " takes, with AUTH. Needs the extra sidegate\\[sidecar-resp].",
        _WHO,
        shown="not served",
    ),
]
Auth = Annotated[
    str,
    option(
        "auth",
        "HOST:PORT",
        "Where to tell proxies whether a request may go on, by the rules of --rules: nginx,"
        " HAProxy, Caddy, Traefik, Envoy's ext_authz over HTTP.",
        _WHO,
        shown="not served",
    ),
]
AuthProxies = Annotated[
    list[str],
    option(
        "auth-proxies",
        "NETWORK",
        "The proxies that may ask there without the secret, and whose X-Forwarded-For is believed."
        " Others show it in Sidegate-Secret. Repeat it, or separate several by commas.",
        _WHO,
        shown=", ".join(DEFAULT_PROXIES),
    ),
]
Grpc = Annotated[
    str,
    option(
        "grpc",
        "HOST:PORT",
        "Where to serve Envoy's rate limit service, v3, by --ratelimit-yaml or else by --rules;"
        " needs the extra sidegate\\[grpc].",
        _WHO,
        shown="not served",
    ),
]
RatelimitYaml = Annotated[
    list[str],
    option(
        "ratelimit-yaml",
        "FILE",
        "A configuration of envoyproxy/ratelimit, by which alone --grpc decides; read again when it"
        " changes. Repeat it, or separate several by commas: one for each domain.",
        _WHO,
    ),
]
Seeds = Annotated[
    list[str],
    option(
        "seed",
        "HOST:PORT",
        "Where to find other nodes: all addresses behind the name, asked for again and again."
        " Repeat it, or separate several by commas.",
        _WHO,
    ),
]
Cluster = Annotated[
    str, option("cluster", "NAME", "Only nodes of the same cluster talk to each other.", _WHO)
]
SecretFile = Annotated[
    str,
    option(
        "secret-file",
        "PATH",
        "The secret that all nodes and apps share; read again when it changes. Of several, one a"
        " line, the first is shown and all are accepted. Or put it itself into SIDEGATE_SECRET.",
        _TRUST,
    ),
]
NodeSecretFile = Annotated[
    str,
    option(
        "node-secret-file",
        "PATH",
        "Another one that makes a node of who has it; that of apps doesn't then. Or put it itself"
        " into SIDEGATE_NODE_SECRET.",
        _TRUST,
    ),
]
HttpTokenFile = Annotated[
    str,
    option(
        "http-token-file",
        "PATH",
        "Another one that HTTP takes in place of the secret, for it crosses the wire there. Or put"
        " it itself into SIDEGATE_HTTP_TOKEN.",
        _TRUST,
    ),
]
RingSeedFile = Annotated[
    str,
    option(
        "ring-seed-file",
        "PATH",
        "16 bytes or more that no stranger knows, so that none can make up keys for one node. The"
        " same on all nodes, kept when the secret changes, read at the start. Or put them"
        " themselves into SIDEGATE_RING_SEED.",
        _TRUST,
    ),
]
TlsCert = Annotated[
    str, option("tls-cert", "PATH", "Our certificate (PEM), for the link over TCP.", _TRUST)
]
TlsKey = Annotated[str, option("tls-key", "PATH", "Its private key (PEM).", _TRUST)]
TlsCa = Annotated[
    str, option("tls-ca", "PATH", "Who signs the certificates of the other side (PEM).", _TRUST)
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure",
        help="Serve other machines without a secret or TLS. \\[env var: SIDEGATE_INSECURE]",
        rich_help_panel=_TRUST,
        show_default=False,
    ),
]
Policy = Annotated[
    str,
    option(
        "on-unreachable",
        "|".join(OnUnreachable),
        "What becomes of a check that no node which could decide it can be asked about: let"
        " through, refused, or decided here with this node's share of the limit.",
        _BEHAVIOUR,
    ),
]
Split = Annotated[
    str,
    option(
        "on-split",
        "|".join(OnSplit),
        "What a side of a split network does: go on, with one limit a side; serve its part of each"
        " limit until it has been stable for 10 s; or, on the smaller side, decide nothing and go"
        " by --on-unreachable. The same on all nodes.",
        _BEHAVIOUR,
    ),
]
Budget = Annotated[
    str,
    option(
        "budget",
        "SECONDS",
        "How long a check may take; its owner has half of it, then its backup.",
        _BEHAVIOUR,
    ),
]
MaxMemory = Annotated[
    str,
    option(
        "max-memory",
        "BYTES",
        "What the buckets may take of the memory: about 250 bytes each, and their longer keys.",
        _BEHAVIOUR,
    ),
]
CacheBytes = Annotated[
    str,
    option(
        "cache-bytes",
        "BYTES",
        "What the values of apps' caches may take of the memory, besides; 0 switches them off.",
        _BEHAVIOUR,
    ),
]
MaxConnections = Annotated[
    str,
    option("max-connections", "NUMBER", "Connections of apps to accept on the link.", _BEHAVIOUR),
]
NodeRole = Annotated[
    str,
    option(
        "role",
        "|".join(Role),
        "A leaf forwards checks and owns no keys: for fleets too large for everyone to be on the"
        " ring.",
        _BEHAVIOUR,
    ),
]
Zone = Annotated[
    str,
    option(
        "zone",
        "ZONE",
        "Where it runs, such as eu-1a. If all owners say so, and not all the same, the backup of a"
        " key is in another zone than its owner.",
        _BEHAVIOUR,
        shown="none",
    ),
]
Drain = Annotated[
    str,
    option(
        "drain",
        "SECONDS",
        "How long leaving the ring may take; the last one waits for another.",
        _BEHAVIOUR,
    ),
]
StateFile = Annotated[
    str,
    option(
        "state-file",
        "PATH",
        "Where to keep buckets over a restart: saved every 10 s and at exit.",
        _BEHAVIOUR,
    ),
]
Rules = Annotated[
    str,
    option(
        "rules",
        "PATH",
        "A rules file to watch, YAML or TOML: it is checked, shown to be in force, and told to apps"
        " that take their rules from here. --auth and --grpc decide by it. `sidegate rules` has"
        " more for it.",
        _BEHAVIOUR,
    ),
]
ReportRules = Annotated[
    str,
    option(
        "report-rules",
        "NUMBER",
        "Of how many rules it is counted apart what was decided of late; the rest counts together."
        " 0 counts nothing, and has nothing to report.",
        _BEHAVIOUR,
    ),
]
ReportMemory = Annotated[
    str,
    option("report-memory", "BYTES", "What the counts of one rule may take.", _BEHAVIOUR),
]
ReportKeys = Annotated[
    str,
    option(
        "report-keys",
        "|".join(ShownKeys),
        "How reports show keys, which may be personal: whole, a few characters of them, or a hash."
        " Plain needs a secret, or loopback; else they are masked.",
        _BEHAVIOUR,
    ),
]
Otel = Annotated[
    bool,
    typer.Option(
        "--otel",
        help="Make spans of the checks that apps trace, and send them by OTLP over HTTP to where"
        " the OTEL_ variables say. \\[env var: SIDEGATE_OTEL]",
        rich_help_panel=_BEHAVIOUR,
        show_default=False,
    ),
]
LogLevel = Annotated[
    str, option("log-level", "|".join(LEVELS), "What to log to stderr.", _BEHAVIOUR)
]
