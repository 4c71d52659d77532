"""RuleDraft: a rule of ours that grows by the entries that lead to a limit of envoyproxy/ratelimit.

What an entry's key stands for is said in Envoy's routes, not in that file. So the usual names are
taken for what they are called, and all others for header fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.ruleset.document import ANY
from sidegate.ruleset.selectors import HEADER
from sidegate_sidecar.ratelimit_yaml.descriptors import WILDCARD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidegate_sidecar.ratelimit_yaml.descriptors import Descriptor

CLIENT: Final = frozenset({"remote_address", "masked_remote_address"})
PATH: Final = frozenset({"path", ":path"})
_METHOD: Final = frozenset({"method", ":method"})
_HOST: Final = frozenset({"host", ":authority", "authority"})
_OF_ROUTES: Final = frozenset(
    {
        "destination_cluster",
        "dynamic_metadata",
        "generic_key",
        "header_match",
        "query_parameter_match",
        "source_cluster",
    }
)


class CantSay(Exception):  # noqa: N818  # named for what a rule of ours can't
    """Something that no rule of ours says; its text is why."""


class RuleDraft:
    """What is known of a rule so far. `headers_named` are the fields that keys stand for."""

    def __init__(self, headers_named: Mapping[str, str]) -> None:
        self._named = headers_named
        self.path: str | None = None
        self.methods: list[str] = []
        self.host: str | None = None
        self.headers: dict[str, str] = {}
        self.key: list[str] = []
        self.guessed: dict[str, str] = {}  # keys that were taken for fields
        self._rank = (0, 0, 0)  # what has to have a value, to fit a pattern, to be there

    @property
    def order(self) -> tuple[int, ...]:
        """By which drafts are sorted: the more a rule wants of a request, the earlier it stands."""
        return tuple(-count for count in self._rank)

    def add(self, entry: Descriptor) -> None:
        """Add what an entry wants of a request, or counts by; CantSay if a rule can't."""
        key, value = entry.key, entry.value
        is_shared = bool(value) and (WILDCARD not in value or entry.share_threshold)
        if key in CLIENT:
            self._add_client(value)
        elif key in PATH:
            if self.path is not None:
                raise CantSay(f"{key}: a rule has one path")
            self.path = value or ANY
            self._count("path", is_shared=is_shared)
        elif key in _METHOD:
            self._add_method(key, value)
        elif key in _HOST:
            if self.host is not None:
                raise CantSay(f"{key}: a rule has one host")
            self.host = value or ANY
            self._count("host", is_shared=is_shared)
        elif key in _OF_ROUTES:
            raise CantSay(f"{key}: which requests have it is said in Envoy's routes only")
        else:
            self._add_header(key, value, is_shared=is_shared)
        exact, patterns, present = self._rank
        if WILDCARD in value:
            patterns += 1
        elif value:
            exact += 1
        self._rank = exact, patterns, present

    def _add_client(self, value: str) -> None:
        if value:
            raise CantSay(f"an address ({value}): no rule is for one, but exempt may have it")
        self._count("client", is_shared=False)

    def _add_method(self, key: str, value: str) -> None:
        if self.methods or not value or WILDCARD in value:
            raise CantSay(f"{key}: a rule wants methods by their names, and counts by none")
        self.methods.append(value)

    def _add_header(self, key: str, value: str, *, is_shared: bool) -> None:
        name = self._named.get(key) or key.lower().replace("_", "-")
        if name in self.headers:
            raise CantSay(f"{key}: a rule wants one value of a field ({name})")
        if key not in self._named:
            self.guessed[key] = name
        self.headers[name] = value or ANY
        if not value:
            exact, patterns, present = self._rank
            self._rank = exact, patterns, present + 1
        self._count(HEADER + name, is_shared=is_shared)

    def _count(self, selector: str, *, is_shared: bool) -> None:
        if not is_shared and selector not in self.key:
            self.key.append(selector)
