"""RateLimitExceeded: a request that its limits refuse, for the app's own error handling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidegate.errors import SidegateError
from sidegate.http.headers import tells_of_limits

if TYPE_CHECKING:
    from sidegate.buckets.decision import Decision
    from sidegate.http.request_limiter import Verdict


class RateLimitExceeded(SidegateError):  # noqa: N818 - its name in this field
    """A request is refused. An error handler for it makes the response, else it is the usual one.

    - `decision`: the Decision that refused it.
    - `status_code`: 429, or 503 where nobody could decide.
    - `detail`: a sentence for people.
    - `headers`: what belongs to the response, also to one of your own: Retry-After and the fields
      of the limits. What you leave out is added.
    - `body`: the response of sidegate, problem+json (RFC 9457) unless `on_denied` made another.
    - `retry_after`: seconds until the same request can pass, 0.0 when nobody knows.

    In a framework that has HTTP exceptions it is one of those too.
    """

    def __init__(self, decision: Decision, verdict: Verdict, detail: str) -> None:
        # The order of an HTTP exception's own __init__ differs, so attributes are set here.
        Exception.__init__(self, detail)
        self.decision = decision
        self.verdict = verdict
        self.status_code = verdict.status
        self.detail: Any = detail
        self.headers: Any = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in verdict.fields
            if tells_of_limits(name)
        }
        self.body = verdict.body
        self.retry_after = decision.retry_after

    def __str__(self) -> str:
        return str(self.detail)
