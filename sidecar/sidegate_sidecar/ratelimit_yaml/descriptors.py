"""Descriptors: what an envoyproxy/ratelimit configuration limits, and how a request finds it. Pure.

A domain has a tree of descriptors. A request's descriptor is a list of (key, value); each of its
entries takes one step down the tree, and the limit where the last one arrives is the one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from sidegate.http.keys import bucket_key
from sidegate_sidecar.ratelimit_yaml.rule_names import entries_text, rule_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidegate.buckets.limits import Limits

DescriptorEntry: TypeAlias = tuple[str, str]
"""(key, value) as a request has them; the value may be empty."""

WILDCARD = "*"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A limit as it is written. `limits` is None for one that is unlimited.

    `name` is what others call it that replace it; `replaces` are the names of those that don't
    apply where this one does.
    """

    limits: Limits | None
    name: str = ""
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A node of the tree, with those below it.

    `shadow` and `quota` say that being over this limit refuses nothing: never, or not while
    another quota has room. The last three say under which name it is counted, and
    `share_threshold` also that all values of a pattern share one bucket.
    """

    line: int
    key: str
    value: str = ""
    limit: RateLimit | None = None
    descriptors: tuple[Descriptor, ...] = ()
    shadow: bool = False
    quota: bool = False
    detailed_metric: bool = False
    value_to_metric: bool = False
    share_threshold: bool = False

    @property
    def name(self) -> str:
        """What the request's entry is compared with: the key, and `_` and the value if any."""
        return f"{self.key}_{self.value}" if self.value else self.key


@dataclass(frozen=True, slots=True)
class MatchedLimit:
    """A limit that applies to a request's descriptor, and the bucket that it is counted in."""

    descriptor: Descriptor
    limit: RateLimit
    rule: str  # as reports and response fields name it
    key: str


class DescriptorLevel:
    """The descriptors that stand beside each other, as a request's entry finds one of them."""

    def __init__(self, descriptors: Iterable[Descriptor]) -> None:
        self._by_name = {it.name: (it, DescriptorLevel(it.descriptors)) for it in descriptors}
        self._patterns = [
            (name.split(WILDCARD), found)
            for name, found in self._by_name.items()
            if WILDCARD in name
        ]

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def find(self, key: str, value: str) -> tuple[Descriptor, DescriptorLevel] | None:
        """Return the descriptor for an entry: of its value, of a pattern, or of its key alone."""
        name = f"{key}_{value}"
        if found := self._by_name.get(name):
            return found
        for parts, found in self._patterns:
            if fits(parts, name):
                return found
        return self._by_name.get(key)


def fits(parts: Sequence[str], name: str) -> bool:
    """Tell whether a name is these parts with anything between them.

    In one walk, however many parts there are: strangers write names of 60 KB.
    """
    first, *middle, last = parts
    end = len(name) - len(last)
    if not (name.startswith(first) and name.endswith(last) and len(first) <= end):
        return False
    at = len(first)
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


@dataclass(frozen=True)
class Domain:
    """All that a file says."""

    name: str
    descriptors: tuple[Descriptor, ...] = ()

    @cached_property
    def _root(self) -> DescriptorLevel:
        return DescriptorLevel(self.descriptors)

    def match(self, entries: Sequence[DescriptorEntry]) -> MatchedLimit | None:
        """Return the limit for a request's descriptor, None if there is none.

        A limit counts at the last entry only; an entry that finds nothing ends the search.
        """
        level = self._root
        path: list[tuple[DescriptorEntry, Descriptor]] = []
        for key, value in entries:
            if (found := level.find(key, value)) is None:
                return None
            descriptor, level = found
            path.append(((key, value), descriptor))
            if not level:
                break
        if len(path) < len(entries) or not path:
            return None
        return self._matched(path)

    def _matched(self, path: list[tuple[DescriptorEntry, Descriptor]]) -> MatchedLimit | None:
        last = path[-1][1]
        if last.limit is None:
            return None
        counted = [(key, it.value if it.share_threshold else value) for (key, value), it in path]
        detailed = last.detailed_metric
        named = [
            f"{key}_{value}" if detailed or it.value_to_metric else it.name
            for (key, value), (_, it) in zip(counted, path, strict=True)
        ]
        return self._counted(last, last.limit, named, counted)

    def override(self, entries: Sequence[DescriptorEntry], limit: RateLimit) -> MatchedLimit:
        """Return the match of a request's descriptor that brings a limit of its own.

        Its name has the keys alone: values are too many.
        """
        descriptor = Descriptor(0, entries[-1][0], limit=limit)
        return self._counted(descriptor, limit, [key for key, _ in entries], entries)

    def _counted(
        self,
        descriptor: Descriptor,
        limit: RateLimit,
        named: list[str],
        entries: Sequence[DescriptorEntry],
    ) -> MatchedLimit:
        rule = rule_name(named)
        bucket = f"{rule_name([self.name])}/{rule}"
        return MatchedLimit(descriptor, limit, rule, bucket_key(bucket, entries_text(entries)))
