"""What a call asks: a question for each descriptor that has a limit. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sidegate_sidecar.fronts.envoy.rls_messages import (
    MAX_UINT32,
    OVERRIDE_UNITS,
    Code,
    DescriptorStatus,
)
from sidegate_sidecar.ratelimit_yaml.descriptors import RateLimit
from sidegate_sidecar.ratelimit_yaml.ratelimit_yaml import limits_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sidegate.buckets.limits import Limits
    from sidegate.protocol.messages import Check
    from sidegate_sidecar.fronts.envoy.rls_messages import RateLimitRequest, RequestDescriptor
    from sidegate_sidecar.ratelimit_yaml.descriptors import Domain, MatchedLimit


class RequestError(ValueError):
    """A request that makes no sense: the fault of who asks."""


@dataclass(frozen=True, slots=True)
class LimitQuestion:
    """What is asked about the descriptor at a position of the call.

    `hits` is what it would charge; more than fit into the bucket at any time are never charged.
    """

    position: int
    rule: str  # as reports and response fields name it
    key: str
    limits: Limits
    hits: int
    name: str = ""  # of the limit, as its configuration calls it
    is_shadow: bool = False  # to be over it refuses nothing, ever
    is_quota: bool = False  # nor while another quota of the call has room

    @property
    def never_fits(self) -> bool:
        """Whether no bucket of these limits could ever pay."""
        return self.hits > self.limits.smallest_burst

    @property
    def check(self) -> Check:
        """What the node is asked: to charge, or only to look."""
        cost = 0 if self.never_fits else self.hits
        return self.key, self.limits.asked, cost


@dataclass(frozen=True, slots=True)
class RlsQuestions:
    """All of a call: what is said of each descriptor that nothing is asked about, and the rest."""

    unasked: Sequence[DescriptorStatus]  # as many as there are descriptors
    asked: Sequence[LimitQuestion]


def questions(domains: Mapping[str, Domain], request: RateLimitRequest) -> RlsQuestions:
    """Return what a request asks. RequestError for one that names nothing to limit.

    A domain that no file has limits nothing. Of limits by name those that another one of the same
    call replaces don't apply.
    """
    require_sense(request)
    domain = domains.get(request.domain)
    matches = [_match(domain, it) if domain else None for it in request.descriptors]
    replaced = {name for match in matches if match for name in match.limit.replaces}
    asked: list[LimitQuestion] = []
    for position, match in enumerate(matches):
        if match is None or match.limit.limits is None or match.limit.name in replaced:
            continue
        hits = hits_of(request, position)
        asked.append(_question(position, match, match.limit.limits, hits))
    return RlsQuestions(list(map(_unasked, matches)), asked)


def require_sense(request: RateLimitRequest) -> None:
    """Raise RequestError for a request that names nothing to limit."""
    if not request.domain:
        raise RequestError("the domain is empty, expected the name of one")
    if not request.descriptors:
        raise RequestError("there is no descriptor, expected at least one")
    if not all(it.entries for it in request.descriptors):
        raise RequestError("a descriptor has no entry, expected at least one")


def hits_of(request: RateLimitRequest, position: int) -> int:
    """Return the hits that a descriptor adds: its own, else those of the request, of which 0 is 1.

    0 of its own only looks.
    """
    hits = request.descriptors[position].hits
    return max(request.hits_addend, 1) if hits is None else hits


def _question(position: int, match: MatchedLimit, limits: Limits, hits: int) -> LimitQuestion:
    descriptor = match.descriptor
    return LimitQuestion(
        position,
        match.rule,
        match.key,
        limits,
        hits,
        match.limit.name,
        is_shadow=descriptor.shadow,
        is_quota=descriptor.quota and not descriptor.shadow,
    )


def _unasked(match: MatchedLimit | None) -> DescriptorStatus:
    unlimited = match is not None and match.limit.limits is None
    return DescriptorStatus(Code.OK, remaining=MAX_UINT32 if unlimited else 0)


def _match(domain: Domain, descriptor: RequestDescriptor) -> MatchedLimit | None:
    override = descriptor.override
    if override is None:
        return domain.match(descriptor.entries)
    unit = OVERRIDE_UNITS.get(override.unit)
    if unit is None:
        known = ", ".join(f"{number} ({name})" for number, name in OVERRIDE_UNITS.items())
        raise RequestError(f"unit {override.unit} of a limit: expected one of {known}")
    # Requests decide it: one descriptor may have several, and none is a change of another.
    limits = limits_of(override.requests_per_unit, unit).apart()
    return domain.override(descriptor.entries, RateLimit(limits))
