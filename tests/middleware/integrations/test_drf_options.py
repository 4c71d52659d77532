"""Whatever is wrong in the settings or in a project's own throttle is told in one line."""

# Django and its REST framework have no types of their own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

import subprocess
import sys
from math import nan
from typing import Any, Final

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test.utils import override_settings

from sidegate.integrations.drf import AnonThrottle, RateThrottle, ScopedThrottle, UserThrottle
from tests.support.apps.drf_app import REST_FRAMEWORK, options, rates

RATES: Final = "REST_FRAMEWORK['DEFAULT_THROTTLE_RATES']"
RATE: Final = "expected a rate such as '100/day', or None for no limit"
SECONDS: Final = "expected seconds, more than 0 and at most 60"
NAME: Final = "must be 1 to 64 printable ASCII characters"
SERVICE: Final = "expected 1 to 64 printable ASCII characters"


def raised(error: pytest.ExceptionInfo[ImproperlyConfigured]) -> str:
    """Return the one line that was told."""
    text = str(error.value)
    assert "\n" not in text
    return text


WRONG_OPTIONS: Final[dict[str, tuple[str, list[Any]]]] = {
    "sidecar": ("expected", [7171, b"127.0.0.1:1", ["127.0.0.1:1"], "127.0.0.1", "http://a:1"]),
    "secret": ("expected text or bytes", [7, ["a"], True]),
    "tls": ("expected a sidegate.Tls, or None", ["ca.pem", {"ca": "ca.pem"}, True]),
    "budget": (SECONDS, [None, 0, -1, nan, 61, "0.05", True]),
    "on_unreachable": ("expected one of open, closed, local", [None, "", "OPEN", "allow", True, 1]),
    "service": (SERVICE, ["", "a/b", "a b", "é", "a" * 65, 7, b"shop"]),
    "trusted_proxies": ("trusted_proxies", [None, -1, 1.5, True, 10_000, "proxy", ["10.0.0.1/8"]]),
}


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [(option, it, said) for option, (said, values) in WRONG_OPTIONS.items() for it in values],
)
def test_a_wrong_option_is_told_when_a_throttle_is_made(
    option: str, value: object, expected: str
) -> None:
    with options(**{option: value}), pytest.raises(ImproperlyConfigured) as told:
        UserThrottle()
    line = raised(told)
    assert line.startswith(f"SIDEGATE: {option}")
    assert expected in line
    assert (repr(value).strip("[]")[:40] in line) is (option != "secret")


@pytest.mark.parametrize("option", ["sidcar", 7])
def test_an_option_that_there_is_not_is_told(option: Any) -> None:
    with (
        override_settings(SIDEGATE={option: "memory"}),
        pytest.raises(ImproperlyConfigured, match=f"^SIDEGATE: {option!r} is no option") as told,
    ):
        UserThrottle()
    assert raised(told).endswith("; did you mean sidecar?") is (option == "sidcar")


@pytest.mark.parametrize("given", ["s3cret", None, ["s3cret"], 7])
def test_options_that_are_none_are_told_without_what_they_hold(given: object) -> None:
    with (
        override_settings(SIDEGATE=given),
        pytest.raises(ImproperlyConfigured, match=r"^SIDEGATE: expected a dict") as told,
    ):
        UserThrottle()
    assert "s3cret" not in raised(told)


@pytest.mark.parametrize("hops", [-1, True, 1.5, "one", 10_000])
def test_hops_that_are_no_count_are_told_by_the_setting_that_has_them(hops: object) -> None:
    theirs = REST_FRAMEWORK | {"NUM_PROXIES": hops}
    with (
        override_settings(REST_FRAMEWORK=theirs, SIDEGATE={}),
        pytest.raises(ImproperlyConfigured) as told,
    ):
        UserThrottle()
    assert raised(told).startswith(f"REST_FRAMEWORK['NUM_PROXIES']={hops!r}: expected a count")


WRONG_RATES: Final[list[tuple[object, str]]] = [
    (100, RATE),
    (1.5, RATE),
    (True, RATE),
    (b"5/min", RATE),
    (["5/min"], RATE),
    ((5, 60), RATE),
    ("", "expected a limit such as"),
    ("5", "5"),
    ("5/minuet", "expected second"),
    ("many/min", "expected a whole number"),
    ("-5/min", "-5"),
]


@pytest.mark.parametrize("throttle", [UserThrottle, ScopedThrottle])
@pytest.mark.parametrize(("rate", "expected"), WRONG_RATES)
def test_a_wrong_rate_is_told_when_a_throttle_is_made(
    throttle: type[RateThrottle], rate: object, expected: str
) -> None:
    """By throttles of scopes too, before a view is asked that has it."""
    with rates(user=rate), pytest.raises(ImproperlyConfigured) as told:
        throttle()
    assert raised(told).startswith(f"{RATES}['user']={rate!r}: ")
    assert expected in raised(told)


@pytest.mark.parametrize(("rate", "expected"), WRONG_RATES)
def test_a_wrong_rate_of_a_class_is_told_at_import(rate: object, expected: str) -> None:
    with pytest.raises(ImproperlyConfigured) as told:
        type("Wrong", (UserThrottle,), {"rate": rate, "__module__": "shop.throttles"})
    assert raised(told).startswith(f"shop.throttles.Wrong.rate={rate!r}: ")
    assert expected in raised(told)


@pytest.mark.parametrize("scope", ["", "a:b", "a/b", "é", "a" * 65, 7, b"user", ["user"], True])
def test_a_wrong_scope_is_told(scope: Any) -> None:
    """Of a class at import, of the rates when a throttle is made."""
    with pytest.raises(ImproperlyConfigured) as told:
        type("Wrong", (AnonThrottle,), {"scope": scope, "__module__": "shop.throttles"})
    assert raised(told).startswith(f"shop.throttles.Wrong.scope={scope!r}: ")
    assert NAME in raised(told)
    if isinstance(scope, list):
        return
    theirs = REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": {scope: "5/min"}}
    with (
        override_settings(REST_FRAMEWORK=theirs),
        pytest.raises(ImproperlyConfigured) as told,
    ):
        ScopedThrottle()
    assert raised(told).startswith(f"{RATES}[{scope!r}]='5/min': ")
    assert NAME in raised(told)


@pytest.mark.parametrize("given", [None, "5/min", ["user"], [("user", "5/min")], 7])
@pytest.mark.parametrize("throttle", [UserThrottle, ScopedThrottle])
def test_rates_that_are_no_dict_are_told(throttle: type[RateThrottle], given: object) -> None:
    theirs = REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": given}
    with (
        override_settings(REST_FRAMEWORK=theirs),
        pytest.raises(ImproperlyConfigured) as told,
    ):
        throttle()
    assert raised(told) == f"{RATES}={given!r}: expected a dict of scopes and their rates"


def test_a_throttle_without_a_rate_is_told() -> None:
    with rates(anon="5/min"), pytest.raises(ImproperlyConfigured) as told:
        UserThrottle()
    assert raised(told) == f"{RATES} has no scope 'user', which UserThrottle goes by: {RATE}"


async def slow(*_: object) -> str:
    return ""


@pytest.mark.parametrize(
    ("base", "name", "value", "said"),
    [
        (UserThrottle, "parse_rate", len, "parse_rate would do nothing: expected rate, scope"),
        (UserThrottle, "get_rate", len, "get_rate would do nothing"),
        (UserThrottle, "THROTTLE_RATES", {}, "THROTTLE_RATES would do nothing"),
        (UserThrottle, "throttle_success", len, "throttle_success would do nothing"),
        (UserThrottle, "throttle_failure", len, "throttle_failure would do nothing"),
        (UserThrottle, "get_cache_key", slow, "get_cache_key: expected a plain function"),
        (ScopedThrottle, "rate", "5/min", "rate='5/min' would do nothing, since the view's"),
        (ScopedThrottle, "scope", "user", "scope='user' would do nothing, since the view's"),
        (ScopedThrottle, "scope_attr", None, "scope_attr=None: expected the name of a view's"),
        (ScopedThrottle, "scope_attr", "a b", "scope_attr='a b': expected the name of a view's"),
    ],
)
def test_what_does_nothing_in_a_class_is_told_at_import(
    base: type[RateThrottle], name: str, value: object, said: str
) -> None:
    """Those who come from DRF's SimpleRateThrottle would think that it counts."""
    with pytest.raises(ImproperlyConfigured) as told:
        type("Mine", (base,), {name: value, "__module__": "shop.throttles"})
    assert raised(told).startswith(f"shop.throttles.Mine.{said}")


def test_wrong_settings_are_told_when_django_imports_the_throttles() -> None:
    """That is when it starts, and not at the first request."""
    framework = {"DEFAULT_THROTTLE_CLASSES": ["sidegate.integrations.drf.UserThrottle"]}
    given = {"REST_FRAMEWORK": framework, "SIDEGATE": {"budget": "no"}}
    code = (
        "from django.conf import settings\n"
        f"settings.configure(**{given})\n"
        "import rest_framework.views"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith(f"SIDEGATE: budget='no': {SECONDS}")
