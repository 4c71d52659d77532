"""Reading an envoyproxy/ratelimit configuration, as it stands, into a domain of descriptors. Pure.

What that project refuses is refused here; so are a key in the wrong place, which it overlooks, and
one that stands twice, of which it takes the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate.buckets.limits import Limit, Limits
from sidegate_sidecar.ratelimit_yaml.descriptors import WILDCARD, Descriptor, Domain, RateLimit
from sidegate_sidecar.ratelimit_yaml.yaml_errors import YamlFileError
from sidegate_sidecar.ratelimit_yaml.yaml_fields import YamlFields
from sidegate_sidecar.ratelimit_yaml.yaml_nodes import read_yaml

if TYPE_CHECKING:
    from sidegate_sidecar.ratelimit_yaml.yaml_nodes import YamlNode

MAX_DESCRIPTORS: Final = 10_000  # with those that references stand for: 10 MB
MAX_LEVELS: Final = 16  # of descriptors in descriptors: what Envoy sends has a few entries
MAX_REPLACES: Final = 64  # names that one limit replaces
MAX_REQUESTS: Final = 2**32 - 1  # what the protocol can say
UNITS: Final = {
    "second": 1,
    "minute": 60,
    "hour": 3_600,
    "day": 86_400,
    "week": 7 * 86_400,
    "month": 30 * 86_400,
    "year": 365 * 86_400,
}
_OF_FILE: Final = ("domain", "descriptors")
_OF_DESCRIPTOR: Final = (
    "key",
    "value",
    "rate_limit",
    "descriptors",
    "shadow_mode",
    "quota_mode",
    "detailed_metric",
    "value_to_metric",
    "share_threshold",
    "metadata",  # for who asks; what it says is not looked at
)
_OF_LIMIT: Final = ("unit", "requests_per_unit", "unlimited", "name", "replaces")


def read_ratelimit_yaml(content: bytes, file: str = "") -> Domain:
    """Return what a file says; YamlFileError says what is wrong with it, and names the `file`."""
    try:
        return _Reader().domain(read_yaml(content))
    except YamlFileError as fault:
        raise fault.within(file) from None


def limits_of(requests_per_unit: int, unit: str) -> Limits:
    """Return the limits that so many requests a unit are: a bucket of them, refilled evenly."""
    return Limits([Limit(requests_per_unit, UNITS[unit])], carries=True)


class _Reader:
    """Reads one file; counts descriptors, of which a reference may stand for many."""

    def __init__(self) -> None:
        self._left = MAX_DESCRIPTORS

    def domain(self, document: YamlNode) -> Domain:
        fields = YamlFields(document, "", _OF_FILE)
        return Domain(fields.needed("domain"), self._descriptors(fields, 1))

    def _descriptors(self, fields: YamlFields, level: int) -> tuple[Descriptor, ...]:
        items = fields.items("descriptors")
        if items and level > MAX_LEVELS:
            raise fields.fault("descriptors", f"expected at most {MAX_LEVELS} levels of them")
        self._left -= len(items)
        if self._left < 0:
            why = f"expected at most {MAX_DESCRIPTORS:,} descriptors in a file"
            raise fields.fault("descriptors", why)
        found: dict[str, Descriptor] = {}
        for node, path in items:
            descriptor = self._descriptor(YamlFields(node, path, _OF_DESCRIPTOR), level)
            if before := found.get(descriptor.name):
                why = f"expected once, as line {before.line} has the same key and value"
                raise YamlFileError(descriptor.line, path, descriptor.name, why)
            found[descriptor.name] = descriptor
        return tuple(found.values())

    def _descriptor(self, fields: YamlFields, level: int) -> Descriptor:
        descriptor = Descriptor(
            fields.line,
            fields.needed("key"),
            fields.text("value"),
            _rate_limit(fields),
            self._descriptors(fields, level + 1),
            shadow=fields.flag("shadow_mode"),
            quota=fields.flag("quota_mode"),
            detailed_metric=fields.flag("detailed_metric"),
            value_to_metric=fields.flag("value_to_metric"),
            share_threshold=fields.flag("share_threshold"),
        )
        if descriptor.share_threshold and WILDCARD not in descriptor.value:
            raise fields.fault("share_threshold", f"expected it beside a value with {WILDCARD}")
        return descriptor


def _rate_limit(fields: YamlFields) -> RateLimit | None:
    node = fields.node("rate_limit")
    if node is None:
        return None
    limit = YamlFields(node, fields.at("rate_limit"), _OF_LIMIT)
    name, replaces = limit.text("name"), _replaces(limit)
    if name and name in replaces:
        raise limit.fault("replaces", f"expected names of other limits, not its own ({name})")
    unit, requests = limit.text("unit").lower(), limit.count("requests_per_unit", MAX_REQUESTS)
    if limit.flag("unlimited"):
        if unit:
            raise limit.fault("unit", "expected none, as the limit is unlimited")
        return RateLimit(None, name=name, replaces=replaces)
    if unit not in UNITS:
        raise limit.fault("unit", f"expected one of {', '.join(UNITS)}")
    return RateLimit(limits_of(requests, unit), name, replaces)


def _replaces(limit: YamlFields) -> tuple[str, ...]:
    items = limit.items("replaces")
    if len(items) > MAX_REPLACES:
        raise limit.fault("replaces", f"expected at most {MAX_REPLACES} names")
    return tuple(YamlFields(node, path, ("name",)).needed("name") for node, path in items)
