"""Requests under rules of the sidecar: decided as by rules in code, in all four places."""

from typing import Any

import pytest

from sidegate import Rule
from sidegate.buckets.decision import Source
from sidegate.ruleset.ruleset import read_rules
from tests.middleware.ruleset.asked import PROXY, rules
from tests.middleware.sidecar_rules.ruled import API, LOGIN, Make, fronts, middlewares


async def statuses(front: Any, count: int, path: str = "/login", **more: Any) -> list[int]:
    return [(await front.ask(path, **more)).status for _ in range(count)]


@fronts
async def test_a_request_is_limited_by_its_rule_and_says_so(make: Make) -> None:
    front = make(rules(LOGIN, API))
    assert await statuses(front, 3) == [200, 200, 429]
    answer = await front.ask("/api/x")
    assert (answer.status, answer.rules) == (200, ["api"])
    assert front.checker.asked[-1] == ("api:192.0.2.1", "5/minute", 1)


@fronts
async def test_for_what_no_rule_is_for_nobody_is_asked(make: Make) -> None:
    front = make(rules(LOGIN))
    assert (await front.ask("/other")).fields.get("ratelimit-policy") is None
    assert front.checker.asked == []


@fronts
@pytest.mark.parametrize(
    ("default", "limited"),
    [
        (None, [200] * 3),
        ("allow", [200] * 3),
        ("2/minute", [200, 200, 429]),
        (["2/minute", "9/day"], [200, 200, 429]),
    ],
)
async def test_until_there_are_rules_the_default_applies(
    make: Make, default: Any, limited: list[int]
) -> None:
    front = make(None, default=default)
    assert await statuses(front, 3) == limited
    front.checker.found = rules(API)
    assert await statuses(front, 3) == [200] * 3
    front.checker.found = None
    assert await statuses(front, 1) == limited[-1:]


@fronts
async def test_the_default_may_be_rules_in_code(make: Make) -> None:
    front = make(None, default=[Rule("mine", "1/minute", path="/login")])
    assert (await front.ask("/login")).rules == ["mine"]
    assert await statuses(front, 1) == [429]
    assert await statuses(front, 2, "/other") == [200, 200]


@fronts
async def test_a_swap_holds_from_the_next_request_on(make: Make) -> None:
    """What was spent stays spent, as a share."""
    front = make(rules(LOGIN))
    assert await statuses(front, 1) == [200]
    front.checker.found = rules({**LOGIN, "limits": "9/minute"})
    assert front.checker.asked[-1][1] == "2/minute"
    assert await statuses(front, 5) == [200] * 4 + [429]
    assert front.checker.asked[-1][1] == "9/minute"


@fronts
async def test_a_rule_in_shadow_counts_marks_and_refuses_nobody(make: Make) -> None:
    front = make(rules({**LOGIN, "mode": "shadow"}))
    assert await statuses(front, 2) == [200, 200]
    answer = await front.ask("/login")
    assert (answer.status, answer.fields["sidegate-shadow"]) == (200, "denied")


@fronts
async def test_a_share_of_the_keys_is_refused(make: Make) -> None:
    front = make(rules({**LOGIN, "mode": "50 %", "limits": "0/minute"}))
    found = [(await front.ask("/login", peer=f"192.0.2.{at}")).status for at in range(200)]
    assert 60 < found.count(429) < 140


@fronts
async def test_zero_lets_nothing_pass_and_nobody_is_asked(make: Make) -> None:
    front = make(rules({**LOGIN, "limits": "0/minute"}))
    assert await statuses(front, 1) == [429]
    assert front.checker.asked == []


@fronts
async def test_a_cost_above_what_a_plan_holds_is_refused(make: Make) -> None:
    plans = {"plans": {"free": {"api": "2/minute"}, "pro": {"api": "9/minute"}}}
    tenants = {"id": "header:x-t", "plan": "header:x-p", "default": "free"}
    costly = {**LOGIN, "limits": "plan:api", "cost": 2}
    front = make(rules(costly, **plans, tenants=tenants))
    assert await statuses(front, 2) == [200, 429]


@fronts
async def test_a_request_that_says_in_two_ways_whose_it_is_is_malformed(make: Make) -> None:
    keyed = {**LOGIN, "match": {"path": "/login", "host": "a.example"}}
    front = make(rules(keyed))
    answer = await front.ask("/login", lines=[("host", "a.example"), ("host", "b.example")])
    assert answer.status == 400
    shadowed = make(rules(keyed), shadow=True)
    twice = [("host", "a.example"), ("host", "b.example")]
    assert (await shadowed.ask("/login", lines=twice)).status == 200


@fronts
async def test_whose_fields_are_believed_the_app_says(make: Make) -> None:
    """Trusted proxies are those of the app: by whom a client is known, and its tenant."""
    front = make(rules({**LOGIN, "limits": "1/minute"}), trusted_proxies=[PROXY])
    lines = [("x-forwarded-for", "203.0.113.7")]
    await front.ask("/login", lines=lines, peer=PROXY)
    await front.ask("/login", lines=lines)
    keys = [key for key, _, _ in front.checker.asked]
    assert keys == ["login:203.0.113.7", "login:192.0.2.1"]


@fronts
async def test_what_the_app_exempts_is_exempt_and_what_the_file_does_too(make: Make) -> None:
    front = make(rules({"limits": "1/minute"}, exempt=["/healthz"]), exempt=["/metrics"])
    assert await statuses(front, 3, "/metrics") == [200] * 3
    assert await statuses(front, 3, "/healthz") == [200] * 3
    assert await statuses(front, 2, "/other") == [200, 429]


@fronts
async def test_who_is_switched_off_asks_nobody(make: Make) -> None:
    front = make(rules({**LOGIN, "limits": "0/minute"}), enabled=False)
    assert await statuses(front, 2) == [200, 200]
    checker: Any = front.checker
    assert (checker.asked, checker.wanted) == ([], 0)


@fronts
async def test_all_in_shadow_refuses_nobody(make: Make) -> None:
    front = make(rules(LOGIN), shadow=True)
    assert await statuses(front, 3) == [200] * 3


@fronts
async def test_keys_have_no_service_so_that_all_who_use_the_file_share_them(make: Make) -> None:
    front = make(rules(LOGIN), service="shop", default="5/minute")
    await front.ask("/login")
    front.checker.found = None
    await front.ask("/login")
    keys = [key for key, _, _ in front.checker.asked]
    assert keys == ["login:192.0.2.1", "shop/default:192.0.2.1"]


@fronts
async def test_a_root_path_is_no_way_around_a_rule(make: Make) -> None:
    front = make(rules({**LOGIN, "limits": "1/minute"}))
    assert [(await front.ask("/login", root="/v1")).status for _ in range(2)] == [200, 429]


@middlewares
async def test_a_request_that_has_paid_in_one_middleware_does_not_pay_in_another(
    make: Make,
) -> None:
    inner, outer = make(rules(LOGIN)), make(rules(LOGIN))
    around: Any = outer.limited
    around._app = inner.limited
    assert await statuses(outer, 2) == [200, 200]
    assert (len(outer.checker.asked), inner.checker.asked) == (2, [])


@fronts
async def test_where_nobody_decides_it_is_answered_by_policy(make: Make) -> None:
    closed = make(rules(LOGIN), Source.CLOSED)
    assert (await closed.ask("/login")).status == 503
    opened = make(rules(LOGIN), Source.OPEN)
    assert (await opened.ask("/login")).fields["sidegate-source"] == "open"


@fronts
async def test_a_fault_in_the_rules_lets_the_request_through_and_is_logged(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    found = rules(LOGIN)
    front = make(found)
    found._remembered = None  # type: ignore[assignment]  # as a fault of ours
    assert await statuses(front, 2) == [200, 200]
    assert [it for it in caplog.messages if "the sidecar's rules failed" in it]


@fronts
async def test_a_client_that_cannot_tell_leaves_the_default(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    front = make(rules(LOGIN), default="1/minute")
    front.checker.rules = None
    assert await statuses(front, 3, "/other") == [200, 429, 429]
    assert len([it for it in caplog.messages if "no rules from the sidecar" in it]) == 1


@middlewares
async def test_an_empty_file_limits_nothing_and_its_default_neither(make: Make) -> None:
    front = make(read_rules({"version": 1, "rules": []}), default="1/minute")
    assert await statuses(front, 3) == [200] * 3
