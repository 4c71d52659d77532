"""What the address and the options of a storage say; what is wrong in them is told by name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

from limits.errors import ConfigurationError

from sidegate.buckets.decision import OnUnreachable
from sidegate.client.config import DEFAULT_SIDECAR, Configured
from sidegate.client.environment import NO, YES
from sidegate.errors import require_known, shown
from sidegate.http.rules import bucket_of, require_name
from sidegate.middleware_options import service_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

C = TypeVar("C", bound=Configured)

_RAISE: Final = "raise"  # as on_unreachable: StorageError, which their own options take over from
_POLICIES: Final = (*OnUnreachable, _RAISE)
_IN_ADDRESS: Final = (
    *("budget", "key_prefix", "lease", "name", "on_unreachable", "otel", "remember_denials"),
    "service",
)
_MAX_AGE: Final = 1.0  # a context that goes on, as a thread's does, may be told what is over
_OPTIONS: Final = (*_IN_ADDRESS, "secret", "tls")


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Where to ask, with which options of a client, and how keys begin."""

    where: str
    in_memory: bool
    prefix: str  # of keys, before the colon
    raises: bool  # StorageError, where nobody can be asked
    max_age: float  # seconds for which an answer may be told again
    client: dict[str, Any]

    def client_of(self, kind: type[C]) -> C:
        """Return a client with these options; ConfigurationError names one that can't be used."""
        try:
            return kind(**self.client)
        except ValueError as error:
            raise _wrong(error) from None


def read_settings(uri: str | None, given: Mapping[str, object]) -> StorageSettings:
    """Read an address such as sidegate://127.0.0.1:7171?on_unreachable=raise, and options.

    ConfigurationError names what can't be used.
    """
    try:
        return _read(urlsplit(uri or "sidegate://"), given)
    except (ValueError, TypeError) as error:
        raise _wrong(error) from None


def _read(uri: SplitResult, given: Mapping[str, object]) -> StorageSettings:
    if "@" in uri.netloc:
        raise ValueError("address (not shown): expected no user or password; secret= is an option")
    options = {**_from_query(uri.query), **given}
    require_known("sidegate's storage", options, _OPTIONS)
    name = require_name("key_prefix", options.pop("key_prefix", "limits"))
    prefix = bucket_of(service_name(options.pop("service", None)), name)
    raises = _raises(options)
    kind = uri.scheme.rpartition("+")[2]
    if address := _sidecar(uri, kind):
        options["sidecar"] = address
    where = address or os.environ.get("SIDEGATE_SIDECAR") or DEFAULT_SIDECAR
    in_memory = kind == "memory"
    return StorageSettings(
        "memory" if in_memory else where,
        in_memory,
        prefix,
        raises,
        0.0 if in_memory else _MAX_AGE,
        options,
    )


def _raises(options: dict[str, object]) -> bool:
    """Is nobody to decide where nobody can be asked? Then a client says so by refusing."""
    policy = options.get("on_unreachable", OnUnreachable.OPEN)
    if policy not in _POLICIES:
        expected = ", ".join(_POLICIES)
        raise ValueError(f"on_unreachable={shown(policy)}: expected one of {expected}")
    if policy == _RAISE:
        options["on_unreachable"] = "closed"
    return policy == _RAISE


def _sidecar(uri: SplitResult, kind: str) -> str:
    """Return where the sidecar listens, "" where nothing is said: then SIDEGATE_SIDECAR counts."""
    if uri.fragment or (uri.netloc if kind != "sidegate" else uri.path.strip("/")):
        raise ValueError(
            f"address {shown(uri.geturl())}: expected sidegate://HOST:PORT, sidegate+unix:///PATH"
            " or sidegate+memory://"
        )
    return f"unix:{uri.path}" if kind == "unix" else uri.netloc


def _from_query(query: str) -> dict[str, object]:
    """Return the options in an address, each as what its text means."""
    found: dict[str, object] = {}
    for option, text in parse_qsl(query, keep_blank_values=True):
        if option in _OPTIONS and option not in _IN_ADDRESS:
            raise ValueError(
                f"{option} (not shown): expected among the options, not in the address"
            )
        found[option] = _READERS.get(option, str)(text)
    return found


def _seconds(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text  # of which the client says what it expects


def _switch(text: str) -> object:
    return text.lower() in YES if text.lower() in YES | NO else text


_READERS: Final = {
    "budget": _seconds,
    **dict.fromkeys(("lease", "otel", "remember_denials"), _switch),
}


def _wrong(error: Exception) -> ConfigurationError:
    return ConfigurationError(f"sidegate's storage: {error}")
