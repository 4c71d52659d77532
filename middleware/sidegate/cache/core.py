"""What Cache and BlockingCache have in common: their options, and values as bytes."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

from sidegate.cache.flights import Flights
from sidegate.cache.items.durations import parse_duration
from sidegate.cache.items.keys import key_text
from sidegate.cache.items.serializing import Serializing, returned_type
from sidegate.cache.local import LocalValues
from sidegate.client.config import DEFAULT_BUDGET, client_options
from sidegate.client.memory import STANDING, switched_off
from sidegate.errors import shown
from sidegate.protocol.cache_messages import MAX_NAME_CHARS, MAX_VALUE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from sidegate.cache.items.found import Found
    from sidegate.cache.items.serializing import Serializer
    from sidegate.trust.tls import Tls

    AskedKeys: TypeAlias = dict[str, list[str | int]]

log = logging.getLogger("sidegate")

LARGE = 64 << 10  # bytes of a value from which on a warning is logged: it takes a while to send
MAX_LEASE = 60 * 10**6  # microseconds: a sidecar gives none for longer


class Kind(NamedTuple):
    """How the values of one decorator, or of a cache, are kept; times are in microseconds."""

    ttl: int
    stale: int
    serializing: Serializing


class CacheCore(ABC):
    """The options of a cache, which were checked. ValueError or TypeError names a wrong one.

    - `name`: the namespace. Caches of one name share their values, in all apps of the cluster.
    - `ttl`: for how long a value is fresh, such as "5m", "1h30m" or seconds.
    - `stale`: for how long after that it is given while one call fills it anew.
    - `near`: for how long each process may keep a copy for itself.
    - `lease`: for how long a function may run before another process calls it too.
    - `type`: what values come back as, if msgspec knows it.
    - `serializer`: two functions in its place, to bytes and back.
    - `sidecar`, `budget`, `secret`, `tls`: as those of a Client.
    """

    def __init__(
        self,
        name: str,
        *,
        ttl: str | float,
        stale: str | float = 0,
        near: str | float = 0,
        lease: str | float = "2s",
        type: Any = None,  # noqa: A002  # the word for it
        serializer: Serializer | None = None,
        sidecar: str | None = None,
        budget: float = DEFAULT_BUDGET,
        secret: str | bytes | None = None,
        tls: Tls | None = None,
    ) -> None:
        self.name = _require_name(name)
        self._near = parse_duration("near", near)
        self._lease = parse_duration("lease", lease, least=1, most=MAX_LEASE)
        self._type, self._serializer = type, serializer
        self._kind = self._kind_of(ttl, stale, Serializing(type, serializer))
        self._options = client_options(sidecar, budget, secret, tls, "cache")
        self._flights = Flights()
        self._own_values = LocalValues(name)
        self._no_values = LocalValues(name, keeps=False)
        self._warned: set[str] = set()
        self._set_up()

    @abstractmethod
    def _set_up(self) -> None:
        """Called once, when the options are known."""

    # --- options

    def _kind_of(self, ttl: object, stale: object, serializing: Serializing) -> Kind:
        fresh = parse_duration("ttl", ttl, least=1)
        return Kind(fresh, parse_duration("stale", stale), serializing)

    def _kind_for(self, function: Callable[..., object], ttl: object, stale: object) -> Kind:
        """Return how a decorated function's values are kept; None: as the cache says."""
        kind = self._kind_with(ttl, stale)
        if self._type is None and self._serializer is None:
            return kind._replace(serializing=Serializing(returned_type(function)))
        return kind

    def _kind_with(self, ttl: object, stale: object) -> Kind:
        """Return how one value is kept; None: as the cache says."""
        fresh = self._kind.ttl if ttl is None else parse_duration("ttl", ttl, least=1)
        old = self._kind.stale if stale is None else parse_duration("stale", stale)
        return Kind(fresh, old, self._kind.serializing)

    # --- who keeps values

    def _local(self) -> LocalValues | None:
        """Return this process's own values, if no sidecar is asked."""
        if STANDING.decide is None and self._options.instead is None:
            return None
        off = STANDING.decide is None and self._options.instead is switched_off
        return self._no_values if off else self._own_values

    # --- values

    @abstractmethod
    def _copy_of(self, key: str) -> bytes | None:
        """Return the bytes of a value that this process has a copy of."""

    def _near_value(self, key: str, kind: Kind) -> tuple[Any, bool]:
        """Return a value and True if there is a copy of it here that can be read."""
        if not self._near or self._local() is not None:
            return None, False
        data = self._copy_of(key)
        return (None, False) if data is None else self._load(data, kind)

    def _value_in(self, found: Found, kind: Kind) -> tuple[Any, bool]:
        """Return a value and True if what was found has one that can be read."""
        return self._load(found.data, kind) if found.has_value else (None, False)

    def _near_values(self, asked: AskedKeys) -> tuple[dict[str | int, Any], list[str]]:
        """Return the values of which there are copies here, and the texts of all other keys."""
        values: dict[str | int, Any] = {}
        missing: list[str] = []
        for text, same in asked.items():
            value, is_there = self._near_value(text, self._kind)
            if is_there:
                values.update(dict.fromkeys(same, value))
            else:
                missing.append(text)
        return values, missing

    def _values_in(
        self, asked: AskedKeys, texts: Iterable[str], found: Iterable[Found]
    ) -> dict[str | int, Any]:
        """Return the values that were found under these texts, each under its keys."""
        values: dict[str | int, Any] = {}
        for text, it in zip(texts, found, strict=True):
            value, is_there = self._value_in(it, self._kind)
            if is_there:
                values.update(dict.fromkeys(asked[text], value))
        return values

    def _keep_bytes(self, value: Any, kind: Kind) -> bytes | None:
        """Return the bytes of a value that a function made; None, and a warning, for too many."""
        data = kind.serializing.dump(value)
        if len(data) > MAX_VALUE_BYTES:
            self._warn("large", f"a value has {_size(data)}; it isn't kept, as more than 1 MiB is")
            return None
        self._warn_of_size(data)
        return data

    def _given_bytes(self, value: Any, kind: Kind) -> bytes:
        """Return the bytes of a value that somebody gives. ValueError for too many."""
        data = kind.serializing.dump(value)
        if len(data) > MAX_VALUE_BYTES:
            raise ValueError(f"a value of {_size(data)}: expected at most 1 MiB")
        self._warn_of_size(data)
        return data

    def _warn_of_size(self, data: bytes) -> None:
        if len(data) > LARGE:
            self._warn("size", f"a value has {_size(data)}; those above 64 KiB take long to send")

    def _load(self, data: bytes, kind: Kind) -> tuple[Any, bool]:
        """Return a value and True, or False if these bytes are no value of this kind any more."""
        try:
            return kind.serializing.load(data), True
        except Exception as error:  # noqa: BLE001 - whatever a serializer raises
            self._warn("bytes", f"a value can't be read, and is made anew: {error}")
            return None, False

    def _warn(self, kind: str, what: str) -> None:
        """Log a warning, once for each kind."""
        if kind not in self._warned:
            self._warned.add(kind)
            log.warning("cache %s: %s", self.name, what)

    def _texts(self, keys: Any) -> list[str]:
        return [key_text(key) for key in keys]


def _require_name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARS:
        raise ValueError(f"name={shown(name)}: expected 1 to {MAX_NAME_CHARS} characters")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"name={shown(name)}: expected text that UTF-8 has bytes for") from None
    return name


def _size(data: bytes) -> str:
    return f"{len(data) >> 10:,} KiB"
