"""In flight: what becomes of a request for which there is no slot. Pure."""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from sidegate.buckets.decision import Decision, Source
from sidegate.http.denial import Refusal
from sidegate.http.headers import (
    CLOSED_RETRY,
    POLICY,
    SHADOW,
    SOURCE,
    Pair,
    quota_exceeded,
    reduced_capacity,
    refusal,
)
from sidegate.http.request_limiter import Form, Verdict
from sidegate.http.settings import HeaderStyle

if TYPE_CHECKING:
    from sidegate.errors import NoSlot
    from sidegate.http.request.request import Request
    from sidegate.http.request_limiter import RequestLimiter
    from sidegate.http.rules import Rule

RETRY = 1  # seconds: nobody knows when another request ends


def without_slot(limiter: RequestLimiter, rule: Rule, missed: NoSlot, request: Request) -> Verdict:
    """Return what becomes of a request where all slots of its key are held by others."""
    settings = limiter.settings
    if rule.shadow or settings.shadow:
        return Verdict([(SHADOW, b"denied")])
    decision = Decision(False, rule.limits, 0, (), Source(missed.source))
    retry = max(ceil(missed.retry_after), RETRY)
    usual = _refusal(rule, missed, retry)
    on_denied = settings.on_denied
    form = Form(on_denied, partial(on_denied, request)) if on_denied else Form()
    made = limiter.formed(rule, form, decision, usual, retry)
    fields = _fields(limiter, rule, missed)
    return Verdict([*fields, *made.fields], made.status, made.body, decision, str(missed))


def _refusal(rule: Rule, missed: NoSlot, retry: int) -> Refusal:
    if missed.source == Source.CLOSED:
        body = reduced_capacity(f"The limits can't be checked now. Retry in {CLOSED_RETRY} s.")
        return Refusal(503, body, refusal(CLOSED_RETRY, body))
    detail = f"The limit is {missed.at_most} at a time. Retry in {retry} s."
    body = quota_exceeded(detail, _named(rule))
    return Refusal(429, body, refusal(retry, body))


def _fields(limiter: RequestLimiter, rule: Rule, missed: NoSlot) -> list[Pair]:
    settings, fields = limiter.settings, list[Pair]()
    if settings.headers in {HeaderStyle.DRAFT, HeaderStyle.BOTH}:
        policy = b'%b;q=%d;qu="concurrent-requests"' % (_named(rule), missed.at_most)
        fields.append((POLICY, policy))
    if missed.source != Source.OWNER and settings.expose_source:
        fields.append((SOURCE, missed.source.encode("ascii")))
    return fields


def _named(rule: Rule) -> bytes:
    return f'"{rule.name} in flight"'.encode("ascii")
