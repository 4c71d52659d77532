"""Problems and fields of responses, as clients of such APIs parse them."""

import math
from collections.abc import Mapping
from typing import Final

from fastapi.responses import JSONResponse

from sidegate import Decision, NoSlot

AT_LEAST: Final = 1  # second: what Retry-After says where it would be less, or nobody knows


class Problem(Exception):  # noqa: N818 - named as in RFC 9457
    """What a client is told instead of an answer: a status, and an error that its library knows."""

    def __init__(
        self,
        status: int,
        kind: str,
        code: str,
        message: str,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.error = {"message": message, "type": kind, "param": None, "code": code}
        self.fields = dict(fields or {})

    def response(self) -> JSONResponse:
        """Return it as a response."""
        return JSONResponse({"error": self.error}, self.status, self.fields)


def bad_request(code: str, message: str, status: int = 400) -> Problem:
    """Return what a client is told that did something wrong."""
    return Problem(status, "invalid_request_error", code, message)


def limited(unit: str, decision: Decision, fields: Mapping[str, str]) -> Problem:
    """Return the 429 for a limit of `unit`, or a 503 if nobody could be asked."""
    if decision.source == "closed":
        return unlimited()
    wait = decision.retry_after
    when = f" Please try again in {duration(wait)}." if wait else ""
    left = f"{decision.remaining or 0} of {decision.limit} are left, {decision.cost} are needed"
    message = f"Rate limit reached on {unit}: {left}.{when}"
    retry = retry_after(wait) if wait else {}
    return Problem(429, unit, "rate_limit_exceeded", message, {**fields, **retry})


def too_many(full: NoSlot) -> Problem:
    """Return the 429 for too many requests in flight, or a 503 if nobody could be asked."""
    if full.source == "closed":
        return unlimited()
    message = f"Too many requests in flight: {full.in_flight} of {full.at_most} are running."
    return Problem(429, "requests", "rate_limit_exceeded", message, retry_after(full.retry_after))


def unlimited() -> Problem:
    """Return what is said where nobody can tell whether a limit is kept."""
    message = "The limits of this key can't be looked up just now."
    return Problem(503, "server_error", "limits_unavailable", message, retry_after(0))


def fields_of(unit: str, decision: Decision) -> dict[str, str]:
    """Return `x-ratelimit-limit-tokens`, `-remaining-tokens` and `-reset-tokens`, or -requests.

    They are of the limit that is nearest to its end; none where nobody knows.
    """
    left, reset = decision.remaining, decision.reset_after
    if left is None or reset is None:
        return {}
    told = {"limit": str(decision.limit), "remaining": str(left), "reset": duration(reset)}
    return {f"x-ratelimit-{name}-{unit}": it for name, it in told.items()}


def retry_after(seconds: float) -> dict[str, str]:
    """Return the field that tells when to try again, in whole seconds."""
    return {"retry-after": str(max(math.ceil(seconds), AT_LEAST))}


def duration(seconds: float) -> str:
    """Return a time as in "9ms", "8.64s", "6m0s" and "1h0m0s", rounded up to a ms."""
    ms = math.ceil(round(seconds * 1000, 3))
    if ms < 1000:
        return f"{ms}ms"
    minutes, ms = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    front = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{front}{ms / 1000:g}s"
