"""The variables of sidegate in an environment, and those that look like a mistake. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sidegate.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "SIDEGATE_"

YES = frozenset({"1", "true", "yes", "on"})
NO = frozenset({"", "0", "false", "no", "off"})
"""What a switch may say, in small letters."""

OF_APPS = frozenset(
    {
        "SIDEGATE_LEASE",
        "SIDEGATE_SECRET",
        "SIDEGATE_SECRET_FILE",
        "SIDEGATE_SERVICE",
        "SIDEGATE_SIDECAR",
    }
)
"""What the middleware and the clients read."""

OF_SIDECARS = frozenset(
    {
        "SIDEGATE_AUTH",
        "SIDEGATE_AUTH_PROXIES",
        "SIDEGATE_BUDGET",
        "SIDEGATE_CACHE_BYTES",
        "SIDEGATE_CLUSTER",
        "SIDEGATE_DRAIN",
        "SIDEGATE_GRPC",
        "SIDEGATE_HTTP",
        "SIDEGATE_HTTP_HOSTS",
        "SIDEGATE_HTTP_TOKEN",
        "SIDEGATE_HTTP_TOKEN_FILE",
        "SIDEGATE_INSECURE",
        "SIDEGATE_LINK",
        "SIDEGATE_LOG_LEVEL",
        "SIDEGATE_MAX_MEMORY",
        "SIDEGATE_MAX_CONNECTIONS",
        "SIDEGATE_NAME",
        "SIDEGATE_NODE_SECRET",
        "SIDEGATE_NODE_SECRET_FILE",
        "SIDEGATE_ON_SPLIT",
        "SIDEGATE_ON_UNREACHABLE",
        "SIDEGATE_OTEL",
        "SIDEGATE_RATELIMIT_YAML",
        "SIDEGATE_REPORT_KEYS",
        "SIDEGATE_REPORT_MEMORY",
        "SIDEGATE_REPORT_RULES",
        "SIDEGATE_RESP",
        "SIDEGATE_RING_SEED",
        "SIDEGATE_RING_SEED_FILE",
        "SIDEGATE_ROLE",
        "SIDEGATE_RULES",
        "SIDEGATE_SECRET",
        "SIDEGATE_SECRET_FILE",
        "SIDEGATE_SEED",
        "SIDEGATE_SEEDS",
        "SIDEGATE_SOCKET",
        "SIDEGATE_SOCKET_MODE",
        "SIDEGATE_STATE_FILE",
        "SIDEGATE_TLS_CA",
        "SIDEGATE_TLS_CERT",
        "SIDEGATE_TLS_KEY",
        "SIDEGATE_ZONE",
    }
)
"""What the command reads: its options, the secret, and the seed of the ring."""

OF_THE_PROJECT = frozenset(
    {
        "SIDEGATE_APP_PORT",  # docker-compose.yml
        "SIDEGATE_BASE",
        "SIDEGATE_CI",
        "SIDEGATE_ETCD",
        "SIDEGATE_FUZZ_FRAMES",
        "SIDEGATE_GRAFANA_PORT",  # docker-compose.yml
        "SIDEGATE_HELM",
        "SIDEGATE_HELM_DOCS",
        "SIDEGATE_IMAGE",
        "SIDEGATE_KUBE_APISERVER",
        "SIDEGATE_PROMETHEUS_PORT",  # docker-compose.yml
        "SIDEGATE_REPETITIONS",
        "SIDEGATE_SLOWAPI_TESTS",
        "SIDEGATE_STANDINS",
        "SIDEGATE_STORM",
    }
)
"""What its tests, its CI and its Compose file read."""

KNOWN = OF_APPS | OF_SIDECARS | OF_THE_PROJECT

MAX_TOLD = 20  # an environment with more of them isn't a slip of the pen

_OPTIONS = [name.removeprefix(PREFIX) for name in sorted(OF_APPS | OF_SIDECARS)]
_OPTIONS.remove("SEED")  # taken too, but SEEDS is the name
_ALIKE = 0.7  # MAX_MEM and MAX_MEMORY are; TIMEOUT and BUDGET, PORT and HTTP aren't

_OF_A_SERVICE = re.compile(r"_SERVICE_HOST$|_SERVICE_PORT(_|$)|_PORT_\d+_(TCP|UDP|SCTP)(_|$)")
_PORT = re.compile(r"_PORT$")


def unknown(environ: Mapping[str, str]) -> list[str]:
    """Return a line for each of the first 20 SIDEGATE_ variables that mean nothing to us.

    Those that Kubernetes and Docker set for a service named like us, as SIDEGATE_PORT, are theirs.
    """
    names = [name for name in sorted(environ) if name.startswith(PREFIX) and name not in KNOWN]
    ours = [name for name in names if not _is_of_a_service(name, environ[name])]
    return [_line(name) for name in ours[:MAX_TOLD]]


def _is_of_a_service(name: str, value: str) -> bool:
    """Tell if a variable says where a service is; SIDEGATE_PORT=tcp://10.0.0.1:7171 does."""
    return bool(_OF_A_SERVICE.search(name) or (_PORT.search(name) and "://" in value))


def _line(name: str) -> str:
    told = f"{name[:80]!a} is set, but it is no option of sidegate and does nothing"
    return told + did_you_mean(name, _OPTIONS, PREFIX, _ALIKE)
