"""What is wrong in SIDEGATE is told in one line when Django starts."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

import subprocess
import sys
from typing import Any, cast

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.test.utils import override_settings

from tests.support.apps import django_limits_app
from tests.support.apps.django_limits_app import MIDDLEWARE


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (7, "SIDEGATE: expected a dict of options, not <class 'int'>"),
        ({"limit": "5/m"}, "SIDEGATE: 'limit' is no option, expected limits, "),
        ({"Limits": "5/m"}, "; did you mean limits?"),
        ({"LIMITS": "5/m", "limits": "5/m"}, "SIDEGATE: limits is given twice"),
        ({"limits": "5/x"}, "SIDEGATE: limits='5/x': "),
        ({"LIMITS": 5}, "SIDEGATE: limits=5: expected a text such as '100/minute'"),
        ({"DEFAULT_LIMITS": "5"}, "SIDEGATE: default_limits='5': "),
        ({"key": "no.such.key"}, "SIDEGATE: key='no.such.key': No module named 'no'"),
        ({"KEY": "adress"}, "SIDEGATE: key='adress': expected a function of the request"),
        ({"BUDGET": 0}, "SIDEGATE: budget=0: expected seconds"),
        ({"TRUSTED_PROXIES": -1}, "SIDEGATE: trusted_proxies=-1"),
        ({"ENABLED": "no"}, "SIDEGATE: enabled='no'"),
        ({"EXEMPT": "/healthz"}, "SIDEGATE: exempt='/healthz': must be a list"),
    ],
)
def test_a_wrong_option_is_told_when_django_starts(given: Any, told: str) -> None:
    with (
        override_settings(SIDEGATE=given, MIDDLEWARE=MIDDLEWARE),
        pytest.raises(ImproperlyConfigured) as raised,
    ):
        WSGIHandler()
    line = str(raised.value)
    assert told in line
    assert "\n" not in line


def test_the_import_tells_it_too() -> None:
    code = (
        "from django.conf import settings; settings.configure(SIDEGATE={'LIMITS': '5/x'});"
        " import sidegate.integrations.django"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "ImproperlyConfigured: SIDEGATE: limits='5/x': " in ran.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("middleware", "ids"), [(MIDDLEWARE, []), (MIDDLEWARE[:1], ["sidegate.W001"])]
)
def test_a_check_warns_where_the_middleware_is_missing(
    middleware: list[str], ids: list[str]
) -> None:
    given = {"limits": "5/m"}
    with override_settings(
        SIDEGATE=given, MIDDLEWARE=middleware, ROOT_URLCONF=django_limits_app.__name__
    ):
        found = [str(cast("Any", it).id) for it in run_checks()]
    assert [it for it in found if it.startswith("sidegate")] == ids
