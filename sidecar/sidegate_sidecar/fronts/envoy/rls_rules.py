"""What a call asks by a rules file: for each descriptor what its request is limited to. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate_sidecar.fronts.envoy.descriptor_request import DescriptorRequest
from sidegate_sidecar.fronts.envoy.rls_asking import (
    LimitQuestion,
    RlsQuestions,
    hits_of,
    require_sense,
)
from sidegate_sidecar.fronts.envoy.rls_messages import Code, DescriptorStatus

if TYPE_CHECKING:
    from sidegate.ruleset.ruleset import RuleSet
    from sidegate_sidecar.fronts.envoy.rls_messages import RateLimitRequest


def rule_questions(rules: RuleSet, request: RateLimitRequest, now: float) -> RlsQuestions:
    """Return what a call asks at a moment, in seconds since 1970.

    RequestError for one that names nothing to limit, MalformedRequest for one that no rule can
    tell from others. A limit that a descriptor brings along isn't looked at.
    """
    require_sense(request)
    asked = [
        LimitQuestion(
            position,
            found.rule.name,
            found.key,
            found.rule.limits,
            found.cost * hits_of(request, position),
            found.rule.name,
            is_shadow=found.rule.shadow,
        )
        for position, descriptor in enumerate(request.descriptors)
        for found in rules.questions(DescriptorRequest(request.domain, descriptor.entries), now)
    ]
    return RlsQuestions([DescriptorStatus(Code.OK)] * len(request.descriptors), asked)
