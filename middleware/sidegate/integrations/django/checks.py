"""A system check: limits of views that nobody would look at are told of when Django starts."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any, Final, cast

from django.conf import settings
from django.core.checks import Warning as CheckWarning
from django.core.checks import register
from django.utils.module_loading import import_string

from sidegate.integrations.django.middleware import LimiterMiddleware
from sidegate.integrations.django.settings_limiter import limiter

_NAME: Final = "sidegate.integrations.django.LimiterMiddleware"


def require_middleware(app_configs: object, **_: object) -> list[Any]:
    """Called by Django's checks; warn of limits that only LimiterMiddleware would check."""
    del app_configs
    core = limiter.core
    others = core.enforcer.application or core.enforcer.limiter.may_have_rules
    if not (core.is_marked or others) or any(map(_is_ours, settings.MIDDLEWARE)):
        return []
    return [
        CheckWarning(
            "limits in SIDEGATE and limits by limiter.limit do NOT apply",
            hint=f"Put {_NAME!r} into MIDDLEWARE, behind AuthenticationMiddleware.",
            id="sidegate.W001",
        )
    ]


def _is_ours(path: str) -> bool:
    found: object = import_string(path)
    return isinstance(found, type) and issubclass(found, LimiterMiddleware)


cast("Any", register)(require_middleware)
