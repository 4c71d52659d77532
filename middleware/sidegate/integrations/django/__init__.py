"""Django: a middleware with the limits of SIDEGATE, and decorators of views.

    MIDDLEWARE = [..., "sidegate.integrations.django.LimiterMiddleware"]
    SIDEGATE = {"limits": "1000/hour", "default_limits": "60/minute", "key": "user_or_ip"}

    @limiter.limit("5/minute")
    def login(request): ...

    @ratelimit(key="ip", rate="5/m")
    def search(request): ...

The first decorator is that of any Limiter, the second has the arguments of django-ratelimit's.
"""

from sidegate.integrations.django import checks
from sidegate.integrations.django.groups.ratelimit import ratelimit
from sidegate.integrations.django.groups.rates import ALL, UNSAFE
from sidegate.integrations.django.groups.usage import (
    aget_usage,
    ais_ratelimited,
    get_usage,
    is_ratelimited,
)
from sidegate.integrations.django.middleware import LimiterMiddleware
from sidegate.integrations.django.responses import Ratelimited
from sidegate.integrations.django.settings_limiter import limiter

__all__ = [
    "ALL",
    "UNSAFE",
    "LimiterMiddleware",
    "Ratelimited",
    "aget_usage",
    "ais_ratelimited",
    "checks",
    "get_usage",
    "is_ratelimited",
    "limiter",
    "ratelimit",
]
