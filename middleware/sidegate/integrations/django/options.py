"""The options of SIDEGATE in Django's settings, for the middleware and for DRF's throttles."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from sidegate.errors import did_you_mean, shown
from sidegate.integrations.django.keys import is_name, key_by_name
from sidegate.limiter.options import LimiterOptions
from sidegate.middleware_options import CommonOptions

OPTIONS: Final = tuple(
    dict.fromkeys(("limits", *CommonOptions.__annotations__, *LimiterOptions.__annotations__))
)
_IMPORTED: Final = (
    "limits",
    "default_limits",
    "default_limits_cost",
    "default_limits_exempt_when",
    "default_limits_charge_when",
    "key",
    "cost",
    "on_denied",
    "rules",
    "default",
    "client",
    "tls",
)
"""Those that may be a dotted path, since settings can't import what an app has."""

_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def is_dotted(value: object) -> bool:
    """Tell whether a value is a text that can only be the path of a Python object."""
    return isinstance(value, str) and _DOTTED.fullmatch(value) is not None


def settings_options() -> dict[str, Any]:
    """Return the options in SIDEGATE, in lower case; ImproperlyConfigured names what is wrong."""
    given: object = getattr(settings, "SIDEGATE", {})
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured(
            f"SIDEGATE: expected a dict of options, not {shown(type(given))}"
        )
    options: dict[str, Any] = {}
    for name, value in cast("Mapping[object, Any]", given).items():
        option = _option(name)
        if option in options:
            raise ImproperlyConfigured(f"SIDEGATE: {option} is given twice, expected it once")
        options[option] = value
    return options


def _option(name: object) -> str:
    option = name.lower() if isinstance(name, str) and name in {name.lower(), name.upper()} else ""
    if option in OPTIONS:
        return option
    hint = did_you_mean(str(name).lower(), OPTIONS)
    raise ImproperlyConfigured(
        f"SIDEGATE: {shown(name)} is no option, expected {', '.join(OPTIONS)}{hint}"
    )


def limiter_options() -> dict[str, Any]:
    """Return the options of a Limiter that SIDEGATE gives, with all paths imported."""
    return {name: _imported(name, value) for name, value in settings_options().items()}


def _imported(option: str, value: object) -> object:
    if option == "key" and is_name(value):
        return key_by_name(cast("str", value))
    if option not in _IMPORTED or not is_dotted(value):
        return value
    try:
        found: object = import_string(cast("str", value))
    except ImportError as error:
        raise ImproperlyConfigured(
            f"SIDEGATE: {option}={shown(value)}: {error}, expected a path such as 'shop.limits.key'"
        ) from error
    return found
