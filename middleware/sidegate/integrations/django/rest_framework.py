"""RateLimitExceeded in views of Django REST framework, which answers it as its own."""

# Django REST framework has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.exceptions import APIException, ErrorDetail

from sidegate.http.headers import retry_after
from sidegate.limiter.checks.exceeded import RateLimitExceeded

if TYPE_CHECKING:
    from sidegate.buckets.decision import Decision
    from sidegate.http.request_limiter import Verdict


class APIRateLimitExceeded(RateLimitExceeded, APIException):  # type: ignore[misc]  # no types
    """RateLimitExceeded for DRF's exception handler: `detail` in its form, with Retry-After."""

    def __init__(self, decision: Decision, verdict: Verdict, detail: str) -> None:
        super().__init__(decision, verdict, detail)
        self.detail = ErrorDetail(detail, "throttled")
        self.wait = retry_after(decision) or None
