"""Rule: which requests are limited, how much, and by whose identity."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Self, TypeGuard, cast

from sidegate.buckets.limits import Limits, parse_limits
from sidegate.errors import shown
from sidegate.http.headers import Policy
from sidegate.http.keys import (
    ClientIP,
    Cost,
    Identity,
    bucket_key,
    client_ip,
    group,
    is_async,
    is_total,
    require_made,
)
from sidegate.http.patterns import covers, path_matcher
from sidegate.http.request.proxies import MAX_ADDRESSES

MAX_IN_FLIGHT = 1_000_000  # as many slots as the protocol has for a key
MAX_NAME = 64  # characters: leaves room in a key of 512 bytes for a service and an identity

# No colon, which ends the name in a key, nor slash, which ends a service before it; nothing that
# a structured field or JSON would escape.
_NAME = re.compile(rf"[ !#-.0-9;-[\]-~]{{1,{MAX_NAME}}}")
_METHOD = re.compile(r"[A-Za-z0-9!#$%&'+.^_`|~-]+")  # a token (RFC 9110), but for "*"
_NO_METHODS = {
    "ALL": "leave methods= out for all of them",
    "ANY": "leave methods= out for all of them",
    "WEBSOCKET": "the handshake of a websocket is a GET",
}
_BY_ADDRESS = client_ip()


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Rule:
    """Requests that match share these limits, one set of buckets for each identity.

    - `name`: says which rule it was in the response fields, and begins the keys of its buckets:
      apps that use one ring of sidecars share the buckets of rules with the same service, name
      and limits.
    - `limits`: a text, or a list of texts, decided together.
    - `path`: as the app's routes have it, or with `*` for any run of characters, also with
      slashes: `/api/*` matches `/api` and all below. Every spelling that a framework takes for
      the same path is the same here; so is the whole path of an app that is mounted somewhere.
    - `methods`: None for all of them; GET stands for HEAD too, since the same code answers both,
      and a websocket's handshake is a GET.
    - `key`: a function of the `Request` that returns whom it counts for (default: `client_ip()`).
    - `cost`: what a request takes from the limits, or a function of the request; 0 only looks.
    - `shadow`: counts and marks what would have been refused, and lets it through.
    - `in_flight`: how many requests of an identity may run at a time, None for any number. Each
      holds a slot until its response has ended, and is refused while there is none; what is
      refused by the limits gives its slot back.
    - `sync`: what is charged is answered only when the key's backup has it too; see `Client.check`.
    - `lease`: False has nothing be borrowed of these limits; see docs/apps/leases.md.
    - `next_rule`: what happens when `key` returns None: the next rule that matches is looked at
      (True, the default), or the request isn't limited at all (False).
    """

    name: str
    limits: Limits
    path: str
    methods: frozenset[str] | None
    key: Identity
    cost: int | Cost
    shadow: bool
    in_flight: int  # 0: any number
    next_rule: bool
    bucket: str  # what the keys of its buckets begin with: the name, behind a service's
    policy: Policy
    matches_path: Callable[[str], object]
    key_of_peer: Callable[[str], str] | None  # if only the peer matters
    stops: bool  # does it only end the chain, for requests that it has a key for?

    def __init__(
        self,
        name: str,
        limits: str | Limits | Iterable[str],
        *,
        path: str = "*",
        methods: Iterable[str] | None = None,
        key: Identity = _BY_ADDRESS,
        cost: int | Cost = 1,
        shadow: bool = False,
        in_flight: int | None = None,
        lease: bool = True,
        next_rule: bool = True,
        sync: bool = False,
    ) -> None:
        parsed = read_limits(limits).carrying()  # a name has one rule, and that one has these
        if flag("sync", sync):
            parsed = parsed.synced()
        if not flag("lease", lease):
            parsed = parsed.unleased()
        self._set(
            name=require_name("name", name),
            limits=parsed,
            path=path,
            methods=read_methods(methods),
            key=_callable("key", key),
            cost=_cost(cost, parsed),
            shadow=flag("shadow", shadow),
            in_flight=read_in_flight(in_flight),
            next_rule=flag("next_rule", next_rule),
            bucket=name,
            policy=Policy(name, parsed),
            matches_path=path_matcher("path", path),
            key_of_peer=_key_of_peer(name, key, cost),
            stops=False,
        )

    def _set(self, **values: object) -> None:
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)

    def of(self, service: str, bucket: str = "") -> Self:
        """Return this rule with buckets of that service's own, by another name than its own."""
        bucket = bucket_of(service, bucket or self.name)
        return self._with(bucket=bucket, key_of_peer=_key_of_peer(bucket, self.key, self.cost))

    def stopping(self) -> Self:
        """Return what stands for this rule where a request was asked about it already."""
        return self._with(stops=True, key_of_peer=None)

    def _with(self, **values: object) -> Self:
        copy = object.__new__(type(self))
        copy._set(**{name: getattr(self, name) for name in self.__slots__} | values)
        return copy

    def stand_apart(self) -> Self:
        """Have its keys have other limits beside these: they don't carry any more; see Limits."""
        if self.limits.carries:
            self._set(limits=self.limits.apart())
        return self

    def matches(self, path: str, method: str) -> bool:
        """Tell whether a request is this rule's; `path` is canonical, `method` in capitals."""
        if self.methods is not None and method not in self.methods:
            return False
        return bool(self.matches_path(path))

    def covers(self, other: Self) -> bool:
        """Tell whether no request of the other rule could ever get past this one."""
        if self.methods is not None and not (other.methods and other.methods <= self.methods):
            return False
        settles = is_total(self.key) or not self.next_rule
        return settles and covers(self.matches_path, other.path)

    @property
    def matches_any_path(self) -> bool:
        """Whether its pattern says nothing about the path."""
        return not self.path.strip("*")

    @property
    def matches_all(self) -> bool:
        """Whether every request is this rule's."""
        return self.matches_any_path and self.methods is None

    @property
    def awaits(self) -> bool:
        """Whether its key or cost is a coroutine function."""
        return is_async(self.key) or is_async(self.cost)

    def __repr__(self) -> str:
        return f"Rule({self.name!r}, {self.limits.text!r}, path={self.path!r})"


def _key_of_peer(bucket: str, key: Identity, cost: int | Cost) -> Callable[[str], str] | None:
    """Return a cached way from an address to a key: a third of the time of the plainest rule."""
    if not isinstance(key, ClientIP) or key.from_header or callable(cost):
        return None
    prefix = key.v6_prefix

    def key_of_peer(peer: str) -> str:
        return bucket_key(bucket, group(peer, prefix))

    return lru_cache(MAX_ADDRESSES)(key_of_peer)


def bucket_of(service: str, name: str) -> str:
    """Return what the keys of a rule or a limit begin with."""
    return f"{service}/{name}" if service else name


def flag(option: str, value: object) -> bool:
    """Return an option that is true or false; ValueError for anything else."""
    if isinstance(value, bool):
        return value
    raise ValueError(f"{option}={shown(value)}: expected True or False")


def read_limits(limits: object, option: str = "limits") -> Limits:
    """Return the limits in a text or in a list of texts; ValueError names what is wrong."""
    if isinstance(limits, Limits):
        return limits
    text = "; ".join(limits) if _are_texts(limits) else limits
    if not isinstance(text, str):
        raise ValueError(  # noqa: TRY004 - options raise ValueError by house rule
            f"{option}={shown(limits)}: expected a text such as '100/minute', or a list of them,"
            f" not {type(limits).__name__}"
        )
    try:
        return parse_limits(text)
    except ValueError as error:
        raise ValueError(f"{option}={shown(limits)}: {error}") from error


def _are_texts(limits: object) -> TypeGuard[list[str] | tuple[str, ...]]:
    if not isinstance(limits, list | tuple):
        return False
    return all(isinstance(each, str) for each in cast("list[object]", limits))


def require_name(option: str, name: object) -> str:
    """Return a name that may stand in a key and in a field; ValueError for what can't."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise ValueError(
        f"{option}={shown(name)}: must be 1 to {MAX_NAME} printable ASCII characters"
        " without colons, slashes, double quotes and backslashes"
    )


def read_methods(methods: object) -> frozenset[str] | None:
    """Return methods in capitals, None for all; ValueError names one that is none."""
    if methods is None:
        return None
    given = methods
    listed = list(cast("Iterable[object]", methods)) if isinstance(methods, Iterable) else []
    if isinstance(methods, str | bytes) or not listed:
        raise ValueError(f"methods={shown(given)}: must be a list of methods, or None for all")
    names = {_method(method) for method in listed}
    return frozenset(names | {"HEAD"} if "GET" in names else names)


def _method(method: object) -> str:
    name = method.upper() if isinstance(method, str) and _METHOD.fullmatch(method) else ""
    if name and name not in _NO_METHODS:
        return name
    instead = _NO_METHODS.get(name, "expected a name such as 'POST', or methods=None for all")
    raise ValueError(f"methods: {shown(method)} is no method: {instead}")


def read_in_flight(value: object) -> int:
    """Return how many requests may run at a time, 0 for None; ValueError for what can't be."""
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_IN_FLIGHT:
        return value
    raise ValueError(f"in_flight={shown(value)}: expected a whole number from 1 to {MAX_IN_FLIGHT}")


def _callable(option: str, value: Identity) -> Identity:
    require_made(option, value)
    if not callable(value):
        raise ValueError(f"{option}={shown(value)}: must be a callable that takes a Request")  # noqa: TRY004 - options raise ValueError by house rule
    return value


def _cost(cost: int | Cost, limits: Limits) -> int | Cost:
    if callable(cost) or (type(cost) is int and 0 <= cost <= limits.smallest_burst):
        return cost
    raise ValueError(
        f"cost={shown(cost)}: must be a callable, or from 0 to {limits.smallest_burst},"
        f" the smallest burst of {limits.text!r}"
    )
