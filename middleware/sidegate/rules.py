"""Rule: which requests are limited, how much, and by whose identity."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from sidegate.fields import Policy
from sidegate.identity import (
    ClientIP,
    Cost,
    Identity,
    bucket_key,
    client_ip,
    group,
    is_async,
)
from sidegate.limits import Limits, parse_limits
from sidegate.proxies import MOST_ADDRESSES

MOST_NAME = 64  # characters: leaves room in a key of 512 bytes for an identity or its hash

# No colon, which ends the name in a key; nothing that a structured field or JSON would escape.
_NAME = re.compile(rf"[ !#-9;-[\]-~]{{1,{MOST_NAME}}}")
_BY_ADDRESS = client_ip()


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Rule:
    """Requests that match share these limits, one set of buckets for each identity.

    `name` says which rule it was in the response fields, and begins the keys of its buckets: apps
    that use one ring of sidecars share the buckets of rules with the same name and limits.
    `path` is a whole path, or has `*` for any run of characters, also with slashes: "/api/*"
    matches "/api/" and all below, not "/api". `methods` is None for all of them; GET stands for
    HEAD too, since the same code answers both, and a websocket's handshake is a GET.
    `cost` is what a request takes from the limits; 0 only looks. `shadow` counts and marks what
    would have been refused, and lets it through.
    """

    name: str
    limits: Limits
    path: str
    methods: frozenset[str] | None
    key: Identity
    cost: int | Cost
    shadow: bool
    policy: Policy
    matches_path: Callable[[str], object]
    key_of_peer: Callable[[str], str] | None  # if only the peer matters

    def __init__(
        self,
        name: str,
        limits: str | Limits,
        *,
        path: str = "*",
        methods: Iterable[str] | None = None,
        key: Identity = _BY_ADDRESS,
        cost: int | Cost = 1,
        shadow: bool = False,
    ) -> None:
        parsed = _limits(limits)
        values = {
            "name": _name(name),
            "limits": parsed,
            "path": path,
            "methods": _methods(methods),
            "key": _callable("key", key),
            "cost": _cost(cost, parsed),
            "shadow": shadow,
            "policy": Policy(name, parsed),
            "matches_path": path_matcher("path", path),
            "key_of_peer": _key_of_peer(name, key, cost),
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)

    def matches(self, path: str, method: str) -> bool:
        """Tell whether a request is this rule's."""
        if self.methods is not None and method not in self.methods:
            return False
        return bool(self.matches_path(path))

    @property
    def matches_all(self) -> bool:
        """Whether every request is this rule's."""
        return self.path == "*" and self.methods is None

    @property
    def awaits(self) -> bool:
        """Whether its key or cost is a coroutine function."""
        return is_async(self.key) or is_async(self.cost)

    def __repr__(self) -> str:
        return f"Rule({self.name!r}, {self.limits.text!r}, path={self.path!r})"


def path_matcher(option: str, pattern: object) -> Callable[[str], object]:
    """Return a function that is true for the paths of a pattern; `option` is named in the error.

    The time it takes grows with the length of the path only: each piece between two `*` is
    looked for once and never again (an atomic group), whatever a client puts into its path.
    """
    if not isinstance(pattern, str) or not pattern.startswith(("/", "*")):
        raise ValueError(f"{option}={pattern!r}: must be a path that begins with / or *")
    first, *others = map(re.escape, pattern.split("*"))
    if not others:
        return pattern.__eq__
    *middle, last = others
    pieces = "".join(f"(?>.*?{piece})" for piece in middle if piece)
    return re.compile(f"{first}{pieces}.*{last}", re.DOTALL).fullmatch


def _key_of_peer(name: str, key: Identity, cost: int | Cost) -> Callable[[str], str] | None:
    """Return a cached way from an address to a key: a third of the time of the plainest rule."""
    if not isinstance(key, ClientIP) or callable(cost):
        return None
    prefix = key.v6_prefix

    def key_of_peer(peer: str) -> str:
        return bucket_key(name, group(peer, prefix))

    return lru_cache(MOST_ADDRESSES)(key_of_peer)


def _name(name: object) -> str:
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise ValueError(
        f"name={name!r}: must be 1 to {MOST_NAME} printable ASCII characters"
        " without colons, double quotes and backslashes"
    )


def _limits(limits: str | Limits) -> Limits:
    if isinstance(limits, Limits):
        return limits
    try:
        return parse_limits(limits)
    except (TypeError, ValueError) as error:
        raise ValueError(f"limits={limits!r}: {error}") from error


def _methods(methods: Iterable[str] | None) -> frozenset[str] | None:
    if methods is None:
        return None
    names = {str(method).upper() for method in methods}
    if isinstance(methods, str) or not names:
        raise ValueError(f"methods={methods!r}: must be a list of methods, or None for all")
    return frozenset(names | {"HEAD"} if "GET" in names else names)


def _callable(option: str, value: Identity) -> Identity:
    if not callable(value):
        raise ValueError(f"{option}={value!r}: must be a callable that takes a Request")  # noqa: TRY004 - options raise ValueError by house rule
    return value


def _cost(cost: int | Cost, limits: Limits) -> int | Cost:
    if callable(cost) or (type(cost) is int and 0 <= cost <= limits.smallest_burst):
        return cost
    raise ValueError(
        f"cost={cost!r}: must be a callable, or from 0 to {limits.smallest_burst},"
        f" the smallest burst of {limits.text!r}"
    )
