"""Which rules count a request, alike in ASGI and WSGI."""

from typing import Any

import pytest

from sidegate.http.keys import header
from sidegate.http.request.request import Request
from sidegate.http.rules import Rule
from tests.support.middleware.fronts import Asgi, Wsgi

both = pytest.mark.parametrize("front", [Asgi, Wsgi])

LOGIN = Rule("login", "2/hour", path="/login", methods=["POST"])
REST = Rule("rest", "100/hour")


@both
async def test_requests_without_a_rule_pass_untouched(front: Any) -> None:
    rules = [
        Rule("login", "5/minute", path="/app/login", methods=["POST"]),
        Rule("api", "9/second", path="/api/*", key=header("x-api-key", missing=None), cost=one),
    ]
    app = front(rules=rules, exempt=["/api/health"])
    untouched = await front(limits="1/s", enabled=False).ask()
    for path in ("/", "/app/login", "/api/health", "/api/users"):
        assert await app.ask(path) == untouched
    assert app.checker.asked == []
    await app.ask("/login", "POST", root="/app")
    await app.ask("/api/users", lines=[("x-api-key", "k")])
    assert app.checker.asked == [
        ("login:192.0.2.1", "5/minute", 1),
        ("api:x-api-key=k", "9/second", 1),
    ]


def one(request: Request) -> int:
    """Cost 1; asked only for who has a key."""
    assert request.header("x-api-key")
    return 1


@both
@pytest.mark.parametrize("method", ["post", "Post", "pOST"])
@pytest.mark.parametrize("path", ["/login/", "//login", "/x/../login", "/log%69n", "/login\n"])
async def test_no_spelling_gets_around_a_rule(front: Any, path: str, method: str) -> None:
    app = front(rules=[LOGIN])
    assert [(await app.ask("/login", "POST")).status for _ in range(3)] == [200, 200, 429]
    assert (await app.ask(path, method)).status == 429
    assert len(app.app.calls) == 2


@both
@pytest.mark.parametrize("path", ["/items", "/v1/items"])
async def test_a_mounted_app_may_write_its_own_paths_or_whole_ones(front: Any, path: str) -> None:
    app = front(rules=[Rule("items", "2/hour", path=path)])
    answers = [await app.ask("/items", root="/v1") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert (await app.ask("/other", root="/v1")).rules == []


@both
async def test_the_app_s_own_path_goes_before_a_rule_for_everything(front: Any) -> None:
    app = front(rules=[Rule("items", "2/hour", path="/items"), REST])
    assert (await app.ask("/items", root="/v1")).rules == ["items"]
    assert (await app.ask("/other", root="/v1")).rules == ["rest"]


@both
async def test_a_rule_for_everything_without_a_key_hides_no_rule_for_whole_paths(
    front: Any,
) -> None:
    """It has a key for those of a plan: these are its own, and all others the next rule's."""
    paid = Rule("paid", "9/hour", key=user_of_plan("paid"))
    app = front(rules=[paid, Rule("items", "2/hour", path="/v1/items"), REST])
    assert (await app.ask("/items", root="/v1")).rules == ["rest", "items"]
    lines = [("x-user", "ann"), ("x-plan", "paid")]
    assert (await app.ask("/items", root="/v1", lines=lines)).rules == ["paid"]
    assert (await app.ask("/other", root="/v1")).rules == ["rest"]


@both
async def test_where_a_path_has_two_readings_both_rules_count(front: Any) -> None:
    """A catch-all view runs on dots as they are, a proxy resolves them: neither is free."""
    rules = [Rule("static", "100/hour", path="/static/*"), Rule("files", "2/hour", path="/files/*")]
    app = front(rules=rules)
    answers = [await app.ask("/files/a/../../static/x") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[0].rules == ["static", "files"]


@both
@pytest.mark.parametrize(
    ("path", "root", "is_exempt"),
    [
        ("/healthz", "", True),
        ("/healthz/", "", True),
        ("/healthz", "/v1", True),
        ("//healthz", "", False),
        ("/static/a.css", "", True),
        ("/files/../healthz", "", False),
        ("/static/../login", "", False),
        ("/login", "/static", False),
        ("/a/static/x", "", False),
    ],
)
async def test_what_is_exempt_is_so_in_every_reading(
    front: Any, path: str, root: str, is_exempt: bool
) -> None:
    app = front(rules=[REST], exempt=["/healthz", "/static/*"])
    assert (await app.ask(path, root=root)).rules == ([] if is_exempt else ["rest"])


def user_of_plan(plan: str) -> Any:
    def key(request: Request) -> str | None:
        return request.header("x-user") if request.header("x-plan") == plan else None

    return key


@both
async def test_a_key_of_none_leaves_the_request_to_the_next_rule(front: Any) -> None:
    """So each plan has its limit, and who has none has that of the last rule."""
    rules = [
        Rule("free", "1/hour", key=user_of_plan("free")),
        Rule("pro", "3/hour", key=user_of_plan("pro")),
        Rule("nobody", "2/hour"),
    ]
    app = front(rules=rules)

    async def passed(plan: str) -> int:
        lines = [("x-user", f"of {plan}"), ("x-plan", plan)]
        return [(await app.ask(lines=lines)).status for _ in range(5)].count(200)

    assert (await passed("free"), await passed("pro"), await passed("none")) == (1, 3, 2)


def nobody(_: Request) -> None:
    return None


@both
async def test_a_key_of_none_may_mean_not_limited(front: Any) -> None:
    app = front(rules=[Rule("vip", "1/hour", path="/v", key=nobody, next_rule=False), REST])
    assert (await app.ask("/v")).rules == []
    assert (await app.ask("/w")).rules == ["rest"]


@both
async def test_a_request_pays_for_a_rule_once(front: Any) -> None:
    """A parent app and the one that is mounted in it may have the same middleware."""
    app = front(limits="4/hour")
    around = type(app)(limits="4/hour", client=app.checker)
    around.limited._app = app.limited
    answers = [await around.ask() for _ in range(6)]
    assert [answer.status for answer in answers] == [200] * 4 + [429] * 2
    assert [answer.rules for answer in answers] == [["default"]] * 6


@both
async def test_other_limits_in_one_request_are_paid_each(front: Any) -> None:
    app = front(limits="4/hour")
    around = type(app)(limits="100/hour", client=app.checker)
    around.limited._app = app.limited
    await around.ask()
    assert [limits for _, limits, _ in app.checker.asked] == ["100/hour", "4/hour"]


PREFLIGHT = [("origin", "https://app.example"), ("access-control-request-method", "POST")]


@both
@pytest.mark.parametrize(
    ("options", "method", "lines", "counted"),
    [
        ({}, "OPTIONS", PREFLIGHT, False),
        ({}, "OPTIONS", PREFLIGHT[:1], True),
        ({}, "OPTIONS", [], True),
        ({}, "options", PREFLIGHT, False),
        ({}, "GET", PREFLIGHT, True),
        ({"preflights": True}, "OPTIONS", PREFLIGHT, True),
        ({"rules": [Rule("r", "9/hour", methods=["OPTIONS"])]}, "OPTIONS", PREFLIGHT, True),
        ({"rules": [Rule("r", "9/hour", path="/*")]}, "OPTIONS", PREFLIGHT, False),
    ],
)
async def test_preflights_are_not_counted_by_default(
    front: Any, options: dict[str, Any], method: str, lines: list[tuple[str, str]], counted: bool
) -> None:
    app = front(**({} if "rules" in options else {"limits": "9/hour"}) | options)
    assert bool((await app.ask(method=method, lines=lines)).rules) is counted


@both
async def test_services_on_one_ring_have_buckets_of_their_own(front: Any) -> None:
    checker = front(limits="1/hour").checker
    for service, key in (("shop", "shop/default:192.0.2.1"), (None, "default:192.0.2.1")):
        app = front(limits="1/hour", service=service, client=checker)
        answer = await app.ask()
        assert (answer.status, answer.rules) == (200, ["default"])
        assert checker.asked[-1][0] == key


@both
async def test_lines_of_a_key_that_differ_are_refused(front: Any) -> None:
    """In WSGI the server has joined them, and the first counts: both are no new identity."""
    app = front(rules=[Rule("api", "2/hour", key=header("x-api-key"))])
    for _ in range(2):
        assert (await app.ask(lines=[("x-api-key", "good")])).status == 200
    for junk in ("17", "18", "19"):
        lines = [("x-api-key", "good"), ("x-api-key", junk)]
        assert (await app.ask(lines=lines)).status == (400 if front is Asgi else 429)


@both
async def test_a_limiter_that_is_not_enabled_asks_nobody(front: Any) -> None:
    app = front(limits="1/hour", enabled=False)
    assert [(await app.ask()).status for _ in range(3)] == [200] * 3
    assert not app.checker.asked
