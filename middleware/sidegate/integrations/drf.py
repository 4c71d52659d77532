"""Throttles for Django REST framework, which count in sidecars and not in Django's cache.

    REST_FRAMEWORK = {
        "DEFAULT_THROTTLE_CLASSES": [
            "sidegate.integrations.drf.AnonThrottle",
            "sidegate.integrations.drf.UserThrottle",
        ],
        "DEFAULT_THROTTLE_RATES": {"anon": "100/day", "user": "60/minute burst 20; 1000/day"},
    }
    SIDEGATE = {"service": "shop", "trusted_proxies": 1}

A throttle is made for each request, by its class alone; what all of them share is made once in a
process, from the settings, when the first of them is.
"""

# Django and its REST framework come without types.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final, Protocol, cast

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from rest_framework.exceptions import APIException
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from sidegate.buckets.decision import Decision, OnUnreachable, Source, require_on_unreachable
from sidegate.buckets.limits import parse_limits
from sidegate.client.blocking import BlockingClient
from sidegate.errors import shown
from sidegate.http.headers import retry_after
from sidegate.http.key_faults import KeyFaults
from sidegate.http.keys import Id, bucket_key, client_ip, identity_text, is_async
from sidegate.http.request.proxies import MAX_HOPS, Proxies, parse_proxies
from sidegate.http.rules import Rule, flag
from sidegate.integrations.django.options import settings_options
from sidegate.middleware_options import service_name
from sidegate.wsgi import EnvironRequest

__all__ = ["AnonThrottle", "RateThrottle", "ScopedThrottle", "UserThrottle"]

log = logging.getLogger("sidegate")

RATES: Final = "REST_FRAMEWORK['DEFAULT_THROTTLE_RATES']"
MAX_RULES: Final = 1_024  # remembered: more than a project has scopes
_EXPECTED: Final = "expected a rate such as '100/day', or None for no limit"
_OF_CLIENT: Final = ("sidecar", "secret", "tls", "budget", "on_unreachable", "otel", "lease")
_ONLY_OF_DRF: Final = (
    "THROTTLE_RATES",
    "get_rate",
    "parse_rate",
    "throttle_failure",
    "throttle_success",
)
"""What a subclass of its SimpleRateThrottle may change of a limit, and nobody asks for here."""

_BY_ADDRESS: Final = client_ip()
_DRF: Final = cast("Any", api_settings)


class ThrottledRequest(Protocol):
    """What a throttle looks at in a request of Django REST framework."""

    META: dict[str, Any]
    user: Any


def _rates() -> Mapping[object, object]:
    """Return the rates of all scopes; ImproperlyConfigured if they are no dict."""
    rates: object = _DRF.DEFAULT_THROTTLE_RATES
    if isinstance(rates, Mapping):
        return cast("Mapping[object, object]", rates)
    raise ImproperlyConfigured(f"{RATES}={shown(rates)}: expected a dict of scopes and their rates")


def _rate_of(scope: object) -> str:
    """Return how the rate of a scope is called in what is told."""
    return f"{RATES}[{shown(scope)}]"


def _require_scope(where: str, scope: object) -> None:
    """Raise ImproperlyConfigured for what isn't None, and can't begin the keys of buckets."""
    if scope is None:
        return
    try:
        Rule(cast("str", scope), parse_limits("1/day"))
    except ValueError as error:
        raise ImproperlyConfigured(f"{where}={shown(scope)}: {error}") from error


def _rule(
    scope: object, rate: object, where: str, service: str, *, is_only_rate: bool = True
) -> Rule | None:
    """Return what a rate says, None for no limit; ImproperlyConfigured if it can't be read."""
    if rate is None:
        return None
    if not isinstance(rate, str):
        raise ImproperlyConfigured(f"{where}={shown(rate)}: {_EXPECTED}")
    try:
        return _made(cast("str", scope), rate, service, is_only_rate=is_only_rate)
    except ValueError as error:
        raise ImproperlyConfigured(f"{where}={shown(rate)}: {error}") from error


@lru_cache(MAX_RULES)
def _made(scope: str, rate: str, service: str, *, is_only_rate: bool) -> Rule:
    rule = Rule(scope, parse_limits(rate)).of(service)
    return rule if is_only_rate else rule.stand_apart()


class RateThrottle(BaseThrottle, ABC):  # type: ignore[misc]  # which has no types
    """Limits whom `get_cache_key` names, by the rate of its scope or by `rate`.

    It never waits longer than the budget. When no sidecar answers, or a key can't be had,
    `on_unreachable` decides.
    """

    scope: ClassVar[str | None] = None
    rate: ClassVar[str | None] = None

    def __init_subclass__(cls, **options: object) -> None:
        """Check what a project's own throttle says; ImproperlyConfigured names what is wrong."""
        super().__init_subclass__(**options)
        where = f"{cls.__module__}.{cls.__qualname__}"
        for name in _ONLY_OF_DRF:
            if hasattr(cls, name):
                raise ImproperlyConfigured(
                    f"{where}.{name} would do nothing: expected rate, scope or get_cache_key"
                )
        if is_async(cls.get_cache_key):
            raise ImproperlyConfigured(f"{where}.get_cache_key: expected a plain function")
        _require_scope(f"{where}.scope", cls.scope)
        _rule(cls.scope or cls.__name__, cls.rate, f"{where}.rate", "")

    def __init__(self) -> None:
        """Read the settings; ImproperlyConfigured names what is wrong in them."""
        self._checker = _Checker.of_process()
        self._decision: Decision | None = None
        self._rule = self._own_rule()

    def _own_rule(self) -> Rule | None:
        """Return what limits its scope, None for no limit."""
        if self.rate is None:
            return self._rule_of(self.scope)
        kind = type(self)
        where = f"{kind.__module__}.{kind.__qualname__}.rate"
        # A scope that is inherited may have the rates of others beside this one.
        is_only = self.scope is None or "scope" in vars(kind)
        scope, service = self.scope or kind.__name__, self._checker.service
        return _rule(scope, self.rate, where, service, is_only_rate=is_only)

    def _rule_of(self, scope: object) -> Rule | None:
        """Return what limits a scope by DEFAULT_THROTTLE_RATES."""
        rates = _rates()
        if not isinstance(scope, str) or scope not in rates:
            raise ImproperlyConfigured(
                f"{RATES} has no scope {shown(scope)}, which {type(self).__qualname__} goes by:"
                f" {_EXPECTED}"
            )
        return _rule(scope, rates[scope], _rate_of(scope), self._checker.service)

    @abstractmethod
    def get_cache_key(self, request: ThrottledRequest, view: object) -> Id | None:
        """Return who is counted, None for a request that this throttle isn't for.

        Service and scope are put before it, so the same text in two scopes is two.
        """

    def get_ident(self, request: ThrottledRequest) -> str:
        """Return the client's address behind `trusted_proxies`, IPv6 by its /64."""
        return _BY_ADDRESS(EnvironRequest(request.META, self._checker.proxies))

    def allow_request(self, request: ThrottledRequest, view: object) -> bool:
        """Charge one token; tell whether there was one. What APIException is raised passes."""
        rule = self._rule
        if rule is None or not self._checker.enabled:
            return True
        try:
            identity = self.get_cache_key(request, view)
            key = None if identity is None else bucket_key(rule.bucket, identity_text(identity))
        except APIException:  # the answer to who is not let in, when nobody has asked before
            raise
        except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
            self._decision = self._checker.key_failed(rule, self.get_cache_key, error)
        else:
            self._decision = None if key is None else self._checker.decide(rule, key)
        return self._decision is None or self._decision.allowed or self._checker.shadow

    def wait(self) -> int | None:  # pyright: ignore[reportIncompatibleMethodOverride]  # it says None
        """Return the whole seconds until a refused request can pass: DRF's Retry-After."""
        return (retry_after(self._decision) or None) if self._decision else None


class AnonThrottle(RateThrottle):
    """Limits who isn't logged in, by address; scope "anon"."""

    scope: ClassVar[str | None] = "anon"

    def get_cache_key(self, request: ThrottledRequest, view: object) -> str | None:
        """Return the address of who isn't logged in."""
        del view
        return None if _is_user(request) else self.get_ident(request)


class UserThrottle(RateThrottle):
    """Limits users by their primary keys, and others by address; scope "user"."""

    scope: ClassVar[str | None] = "user"

    def get_cache_key(self, request: ThrottledRequest, view: object) -> str | None:
        """Return the user, or the address of who isn't logged in or has no primary key."""
        del view
        key: object = getattr(request.user, "pk", None) if _is_user(request) else None
        return self.get_ident(request) if key is None else f"user={key}"  # no address is that


class ScopedThrottle(UserThrottle):
    """Limits views that have a `throttle_scope`, each scope by its rate; others are not limited."""

    scope = None
    scope_attr: ClassVar[str] = "throttle_scope"

    def __init_subclass__(cls, **options: object) -> None:
        """Check what a project's own throttle says; ImproperlyConfigured names what is wrong."""
        super().__init_subclass__(**options)
        where = f"{cls.__module__}.{cls.__qualname__}"
        for name in ("rate", "scope"):
            if (value := getattr(cls, name)) is not None:
                raise ImproperlyConfigured(
                    f"{where}.{name}={shown(value)} would do nothing, since the view's scope"
                    " counts: expected another throttle's subclass, such as of UserThrottle"
                )
        attribute = cast("object", cls.scope_attr)
        if not isinstance(attribute, str) or not attribute.isidentifier():
            raise ImproperlyConfigured(
                f"{where}.scope_attr={shown(attribute)}: expected the name of a view's attribute"
            )

    def _own_rule(self) -> Rule | None:
        """Read all rates, so that a wrong one is told before a view is asked that has it."""
        for scope, rate in _rates().items():
            _rule(scope, rate, _rate_of(scope), self._checker.service)
        return None

    def allow_request(self, request: ThrottledRequest, view: object) -> bool:
        """Charge one token of the view's scope; tell whether there was one."""
        scope: object = getattr(view, self.scope_attr, None)
        self._rule = self._rule_of(scope) if scope else None
        return super().allow_request(request, view)


def _is_user(request: ThrottledRequest) -> bool:
    return bool(request.user and request.user.is_authenticated)


class _Checker:
    """Decides for all throttles of a process: by one client, and what SIDEGATE says besides."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        given = {it: options[it] for it in _OF_CLIENT if it in options}
        self.enabled = flag("enabled", options.get("enabled", True))
        self.client = BlockingClient(**given)
        self.shadow = flag("shadow", options.get("shadow", False))
        self.service = service_name(options.get("service"))
        self.proxies = _proxies(options)
        self._policy = require_on_unreachable(options.get("on_unreachable", OnUnreachable.OPEN))
        self._faults = KeyFaults()

    @staticmethod
    def of_process() -> _Checker:
        """Return that of this process. Of two threads that make the first, one's is kept."""
        return _KEPT.get(True) or _KEPT.setdefault(True, _Checker.of_settings())

    @staticmethod
    def of_settings() -> _Checker:
        """Read Django's settings; ImproperlyConfigured names what is wrong in them."""
        options = settings_options()
        try:
            return _Checker(options)
        except ValueError as error:
            raise ImproperlyConfigured(f"SIDEGATE: {error}") from error

    def decide(self, rule: Rule, key: str) -> Decision:
        """Ask the sidecar, or go by `on_unreachable`; it never raises."""
        try:
            return self.client.check(key, rule.limits)
        except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
            return self._failed(rule, "the check", error)

    def key_failed(self, rule: Rule, function: object, error: Exception) -> Decision:
        """Return what becomes of a request whose key can't be had; log why, and count it."""
        self.client.count("key-error")
        return self._failed(rule, function, error)

    def _failed(self, rule: Rule, what: object, error: Exception) -> Decision:
        closed = self._policy is OnUnreachable.CLOSED
        done = f"{'refused' if closed else 'let through'} (on_unreachable={self._policy.value})"
        if line := self._faults.failed(rule.name, what, error, done, time.monotonic()):
            log.error(line)
        source = Source.CLOSED if closed else Source.OPEN
        return Decision(not closed, rule.limits, 0, (), source)


def _proxies(options: Mapping[str, Any]) -> Proxies:
    if "trusted_proxies" in options:
        return parse_proxies(options["trusted_proxies"])
    hops: object = _DRF.NUM_PROXIES
    try:
        return parse_proxies(0 if hops is None else hops)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"REST_FRAMEWORK['NUM_PROXIES']={shown(hops)}: expected a count of proxies from 0 to"
            f" {MAX_HOPS}, or None"
        ) from error


_KEPT: Final[dict[bool, _Checker]] = {}
"""That of this process, once it is made: DRF makes throttles by class, and hands them none."""


def _forget(*, setting: str, **_: object) -> None:
    """Called by Django's tests when they have changed a setting."""
    if setting in {"SIDEGATE", "REST_FRAMEWORK"} and (kept := _KEPT.pop(True, None)):
        kept.client.close()


cast("Any", setting_changed).connect(_forget)

_Checker.of_settings()  # what is wrong in SIDEGATE is told at import, not at the first request
