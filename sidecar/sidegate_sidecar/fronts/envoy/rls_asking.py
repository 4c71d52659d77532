"""What a call asks: a question for each descriptor that has a limit. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sidegate_sidecar.fronts.envoy.rls_messages import OVERRIDE_UNITS
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
    match: MatchedLimit
    limits: Limits
    hits: int

    @property
    def never_fits(self) -> bool:
        """Whether no bucket of these limits could ever pay."""
        return self.hits > self.limits.smallest_burst

    @property
    def check(self) -> Check:
        """What the node is asked: to charge, or only to look."""
        cost = 0 if self.never_fits else self.hits
        return self.match.key, self.limits.asked, cost


@dataclass(frozen=True, slots=True)
class RlsQuestions:
    """All of a call: as many places as it has descriptors, and the questions about some."""

    matches: Sequence[MatchedLimit | None]
    asked: Sequence[LimitQuestion]


def questions(domains: Mapping[str, Domain], request: RateLimitRequest) -> RlsQuestions:
    """Return what a request asks. RequestError for one that names nothing to limit.

    A domain that no file has limits nothing. Of limits by name those that another one of the same
    call replaces don't apply.
    """
    if not request.domain:
        raise RequestError("the domain is empty, expected the name of one")
    if not request.descriptors:
        raise RequestError("there is no descriptor, expected at least one")
    domain = domains.get(request.domain)
    matches = [_match(domain, it) if domain else None for it in request.descriptors]
    replaced = {name for match in matches if match for name in match.limit.replaces}
    asked: list[LimitQuestion] = []
    for position, match in enumerate(matches):
        if match is None or match.limit.limits is None or match.limit.name in replaced:
            continue
        hits = request.descriptors[position].hits
        hits = max(request.hits_addend, 1) if hits is None else hits
        asked.append(LimitQuestion(position, match, match.limit.limits, hits))
    return RlsQuestions(matches, asked)


def _match(domain: Domain, descriptor: RequestDescriptor) -> MatchedLimit | None:
    if not descriptor.entries:
        raise RequestError("a descriptor has no entry, expected at least one")
    override = descriptor.override
    if override is None:
        return domain.match(descriptor.entries)
    unit = OVERRIDE_UNITS.get(override.unit)
    if unit is None:
        known = ", ".join(f"{number} ({name})" for number, name in OVERRIDE_UNITS.items())
        raise RequestError(f"unit {override.unit} of a limit: expected one of {known}")
    limits = limits_of(override.requests_per_unit, unit)
    limit = RateLimit(limits, unit, override.requests_per_unit)
    return domain.override(descriptor.entries, limit)
