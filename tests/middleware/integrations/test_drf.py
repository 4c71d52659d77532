"""Throttles of Django REST framework, by its own test client, without a sidecar."""

# Django and its REST framework have no types of their own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from typing import Any, cast

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test.utils import override_settings
from rest_framework.exceptions import NotAuthenticated
from rest_framework.test import APIClient, APIRequestFactory

from sidegate.integrations.drf import (
    AnonThrottle,
    RateThrottle,
    ScopedThrottle,
    ThrottledRequest,
    UserThrottle,
)
from sidegate.protocol.outcome_messages import Outcomes
from sidegate.testing import Memory
from tests.support.apps.drf_app import REST_FRAMEWORK, Things, options, rates
from tests.support.in_process.sidecar_double import SidecarDouble

NOBODY = "127.0.0.1:9"
ADDRESS = "192.0.2.1"


def ask(path: str = "/things", times: int = 1, **headers: str) -> list[Any]:
    """Ask the app from ADDRESS, unless the headers say another."""
    fields = {"x-forwarded-for": ADDRESS} | {it.replace("_", "-"): headers[it] for it in headers}
    return [APIClient(headers=fields).get(path) for _ in range(times)]


def ask_view(*throttles: type[RateThrottle], times: int = 1, **attributes: object) -> list[Any]:
    """Ask a view that has these throttles."""
    members = {"throttle_classes": throttles, **attributes}
    view = cast("Any", type("View", (Things,), members)).as_view()
    request: Any = APIRequestFactory().get("/", headers={"x-forwarded-for": ADDRESS})
    return [view(request) for _ in range(times)]


def statuses(answers: list[Any]) -> list[int]:
    return [it.status_code for it in answers]


def test_who_is_not_logged_in_counts_by_address(sidegate: Memory) -> None:
    answers = ask(times=4)
    assert statuses(answers) == [200] * 3 + [429]
    assert answers[3].headers["retry-after"] == "28800"
    assert sidegate.keys() == [f"shop/anon:{ADDRESS}", f"shop/user:{ADDRESS}"]
    assert statuses(ask(x_forwarded_for="192.0.2.2")) == [200]
    sidegate.advance(28_800)
    assert statuses(ask(times=2)) == [200, 429]


def test_users_count_by_their_primary_keys(sidegate: Memory) -> None:
    answers = ask(times=5, x_user="7")
    assert statuses(answers) == [200] * 4 + [429]
    assert answers[4].headers["retry-after"] == "720"
    assert sidegate.keys() == ["shop/user:user=7"]
    assert sidegate.spent("shop/user:user=7") == {"5/hour burst 4": 4, "90/day": 4}
    assert statuses(ask(x_user="8")) == [200]


def test_a_view_with_a_scope_has_a_limit_of_its_own(sidegate: Memory) -> None:
    """Denied ones are charged to the other throttles too, for DRF asks all of them."""
    answers = ask("/uploads", times=3, x_user="7")
    assert statuses(answers) == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "1800"
    assert sidegate.keys() == ["shop/uploads:user=7", "shop/user:user=7"]
    assert statuses(ask(times=2, x_user="7")) == [200, 429]


def test_none_is_no_limit(sidegate: Memory) -> None:
    with rates(anon=None, user=None, free=None):
        assert statuses(ask("/free", times=20)) == [200] * 20
    assert sidegate.keys() == []


@pytest.mark.parametrize(
    ("rate", "limits"),
    [
        ("100/day", {"100/day"}),
        ("5/min", {"5/minute"}),
        ("5/m", {"5/minute"}),
        ("60/hour", {"60/hour"}),
        ("10/sec", {"10/second"}),
        ("100/minute burst 20; 1000/day", {"100/minute burst 20", "1000/day"}),
    ],
)
@pytest.mark.usefixtures("sidegate")
def test_rates_of_drf_and_our_own(rate: str, limits: set[str], sidegate: Memory) -> None:
    with rates(user=rate):
        assert statuses(ask_view(UserThrottle)) == [200]
    # A token of 10/second may be back already.
    assert set(sidegate.spent(f"shop/user:{ADDRESS}")) in (limits, set[str]())


class Burst(UserThrottle):
    rate = "1/min"


class Anonymous(AnonThrottle):
    scope = "burst"


class ByPhone(RateThrottle):
    scope = "phone"

    def get_cache_key(self, request: ThrottledRequest, view: object) -> str | None:
        del view
        return str(request.META.get("HTTP_X_PHONE", "none"))


def test_throttles_of_a_projects_own(sidegate: Memory) -> None:
    """By `rate`, by `scope`, and by `get_cache_key`, as people write them for DRF's."""
    assert statuses(ask_view(Burst, times=2)) == [200, 429]
    with rates(burst="2/min", phone="3/min"):
        assert statuses(ask_view(Anonymous, times=3)) == [200, 200, 429]
        assert statuses(ask_view(ByPhone, times=4)) == [200, 200, 200, 429]
    assert sidegate.keys() == [
        f"shop/burst:{ADDRESS}",
        "shop/phone:none",
        f"shop/user:{ADDRESS}",
    ]


class Sustained(UserThrottle):
    rate = "100/day"


class Uploads(UserThrottle):
    rate, scope = "2/day", "uploads"


class FewerUploads(UserThrottle):
    rate, scope = "1/day", "uploads"


@pytest.mark.usefixtures("sidegate")
def test_rates_of_one_scope_that_throttles_inherit_are_no_change() -> None:
    """Whoever has used up a minute by one of them has a day by the other."""
    assert statuses(ask_view(Burst, times=2)) == [200, 429]
    assert statuses(ask_view(Sustained, times=5)) == [200] * 5
    assert statuses(ask_view(Burst)) == [429]
    assert statuses(ask_view(Uploads, times=2)) == [200, 200]
    assert statuses(ask_view(FewerUploads)) == [429]  # a scope of its own has one rate


def test_a_scope_that_has_no_rate_is_told(sidegate: Memory) -> None:
    with rates(other="5/min"), pytest.raises(ImproperlyConfigured, match="no scope 'uploads'"):
        ask_view(ScopedThrottle, throttle_scope="uploads")
    assert sidegate.keys() == []


@pytest.mark.parametrize(
    ("policy", "found", "retry"),
    [
        ("open", [200] * 5, None),
        ("closed", [429] * 5, "1"),
        ("local", [200] * 3 + [429] * 2, "28800"),
    ],
)
def test_without_a_sidecar_it_goes_by_the_policy(
    policy: str, found: list[int], retry: str | None
) -> None:
    with options(sidecar=NOBODY, on_unreachable=policy):
        answers = ask(times=5)
    assert statuses(answers) == found
    assert answers[4].headers.get("retry-after") == retry


class Broken(UserThrottle):
    def get_cache_key(self, request: ThrottledRequest, view: object) -> str | None:
        del request, view
        raise ZeroDivisionError


class NoText(UserThrottle):
    def get_cache_key(self, request: ThrottledRequest, view: object) -> Any:
        del request, view
        return b"no text"


@pytest.mark.parametrize("throttle", [Broken, NoText])
@pytest.mark.parametrize(("policy", "found"), [("open", 200), ("closed", 429)])
@pytest.mark.usefixtures("sidegate")
def test_a_key_that_fails_is_logged_and_goes_by_the_policy(
    throttle: type[RateThrottle], policy: str, found: int, caplog: pytest.LogCaptureFixture
) -> None:
    with options(on_unreachable=policy):
        assert statuses(ask_view(throttle, times=3)) == [found] * 3
    (line,) = [it.getMessage() for it in caplog.records if it.name == "sidegate"]
    assert f"{throttle.__name__}.get_cache_key" in line
    assert f"on_unreachable={policy}" in line


@pytest.mark.parametrize(("policy", "found"), [("open", 200), ("closed", 429)])
def test_what_a_sidecar_cannot_decide_goes_by_the_policy(
    policy: str, found: int, sidecar: SidecarDouble
) -> None:
    """And it hears how many keys have failed before."""
    with options(sidecar=sidecar.address, on_unreachable=policy):
        ask_view(Broken, times=2)
        sidecar.reason = "not today"
        assert statuses(ask_view(UserThrottle, times=2)) == [found] * 2
        sidecar.reason = ""
        assert statuses(ask_view(UserThrottle)) == [200]
        sidecar.wait_for(lambda: Outcomes([("key-error", 2)]) in sidecar.heard)


class Strict(UserThrottle):
    def get_cache_key(self, request: ThrottledRequest, view: object) -> str | None:
        del request, view
        raise NotAuthenticated


@pytest.mark.usefixtures("sidegate")
def test_who_is_not_let_in_is_answered_as_ever() -> None:
    """DRF asks who it is in a throttle, if nobody has before."""
    assert statuses(ask_view(Strict)) == [403]


@pytest.mark.parametrize(
    ("forwarded", "hops", "key"),
    [
        ("203.0.113.9, 192.0.2.5", 1, "192.0.2.5"),
        ("203.0.113.9, 192.0.2.5", 0, "127.0.0.1"),
        ("203.0.113.9, 192.0.2.5, 10.0.0.1", 2, "192.0.2.5"),
        ("203.0.113.9, 2001:db8::7", 1, "2001:db8::/64"),
    ],
)
@pytest.mark.parametrize("by", ["SIDEGATE", "NUM_PROXIES"])
def test_the_client_is_whom_trusted_proxies_name(
    forwarded: str, hops: int, key: str, by: str, sidegate: Memory
) -> None:
    """What is written before that is a client's own; NUM_PROXIES counts if nothing else does."""
    ours = {"trusted_proxies": hops} if by == "SIDEGATE" else {}
    theirs = REST_FRAMEWORK | {"NUM_PROXIES": 7 if ours else hops}
    with override_settings(REST_FRAMEWORK=theirs, SIDEGATE=ours):
        ask(x_forwarded_for=forwarded)
    assert sidegate.keys() == [f"anon:{key}", f"user:{key}"]


def test_throttles_of_a_process_have_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made anew when a test changes the settings, and has the environment for the rest."""
    assert UserThrottle()._checker is AnonThrottle()._checker
    before = UserThrottle()._checker
    monkeypatch.setenv("SIDEGATE_SERVICE", "cellar")
    with override_settings(SIDEGATE={"sidecar": "memory"}):
        assert UserThrottle()._checker is not before
        assert UserThrottle()._checker.service == "cellar"


def test_a_throttle_that_says_nobody_is_none() -> None:
    with pytest.raises(TypeError, match="get_cache_key"):
        cast("Any", RateThrottle)()


@pytest.mark.parametrize("option", [{"SHADOW": True}, {"ENABLED": False}])
def test_options_mean_what_they_do_for_the_middleware(
    sidegate: Memory, option: dict[str, bool]
) -> None:
    """Shadow counts and refuses nothing; what isn't enabled doesn't count either."""
    with options(**option):
        assert statuses(ask(times=5)) == [200] * 5
    assert bool(sidegate.keys()) is ("SHADOW" in option)


def test_a_rate_of_nothing_lets_nothing_pass(sidegate: Memory) -> None:
    with rates(anon="0/day", user=None):
        answers = ask(times=2)
    assert statuses(answers) == [429, 429]
    assert sidegate.keys() == []
