"""What responses say, by options that are alike in ASGI and WSGI."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from sidegate.buckets.decision import Decision, Source
from sidegate.http.request.request import Request
from sidegate.http.rules import Rule
from tests.support.middleware.checker import BlockingChecker, Checker, items
from tests.support.middleware.fronts import Asgi, Wsgi

both = pytest.mark.parametrize("front", [Asgi, Wsgi])

DRAFT = {"ratelimit", "ratelimit-policy"}
LEGACY = {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}


@both
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("draft", DRAFT),
        (True, DRAFT),
        ("legacy", LEGACY),
        ("both", DRAFT | LEGACY),
        (False, set[str]()),
        ("none", set[str]()),
    ],
)
async def test_headers_are_of_the_style_that_is_asked_for(
    front: Any, headers: object, expected: set[str]
) -> None:
    app = front(limits="1/hour", headers=headers)
    for status in (200, 429):
        answer = await app.ask()
        assert answer.status == status
        assert {name for name in answer.fields if "ratelimit" in name} == expected
        assert ("retry-after" in answer.fields) is (status == 429)


@both
async def test_a_client_is_refused_when_its_tokens_are_gone(front: Any) -> None:
    app = front(limits="2/minute")
    assert [(await app.ask()).status for _ in range(3)] == [200, 200, 429]
    answer = await app.ask()
    assert len(app.app.calls) == 2
    assert items(answer.fields["ratelimit-policy"]) == {"default": {"q": 2, "w": 60}}
    assert items(answer.fields["ratelimit"]) == {"default": {"r": 0, "t": 30}}
    assert answer.fields["retry-after"] == "30"
    assert answer.fields["content-type"] == "application/problem+json"
    assert answer.fields["cache-control"] == "no-store"
    assert answer.fields["content-length"] == str(len(answer.body))
    problem = json.loads(answer.body)
    assert (problem["status"], problem["violated-policies"]) == (429, ["default"])
    assert (await app.ask(peer="192.0.2.2")).status == 200
    getattr(app.checker, "blocking", app.checker).now += 30 * 10**9
    assert (await app.ask()).status == 200


def eleven(_: Request) -> int:
    return 11


@both
@pytest.mark.parametrize("policy", ["open", "closed"])
async def test_a_cost_that_never_fits_is_denied(front: Any, policy: str) -> None:
    app = front(limits="10/minute", cost=eleven, on_unreachable=policy)
    answer = await app.ask()
    assert (answer.status, "retry-after" in answer.fields) == (429, False)
    assert app.app.calls == []


@both
@pytest.mark.parametrize(
    ("source", "expected", "calls"),
    [(Source.OPEN, 200, 1), (Source.CLOSED, 503, 0), (Source.BACKUP, 200, 1)],
)
async def test_an_answer_of_another_than_the_owner_says_so(
    front: Any, source: Source, expected: int, calls: int
) -> None:
    checker = Checker(source) if front is Asgi else BlockingChecker(source)
    limited = front(limits="10/minute", client=checker)
    answer = await limited.ask()
    assert (answer.status, answer.fields["sidegate-source"]) == (expected, source)
    assert len(limited.app.calls) == calls


@both
async def test_a_head_request_gets_the_fields_and_no_body(front: Any) -> None:
    limited = front(limits="1/minute")
    await limited.ask()
    get, head = await limited.ask(), await limited.ask(method="HEAD")
    assert (head.status, head.fields) == (get.status, get.fields)
    assert (get.body != b"", head.body) == (True, b"")


@both
async def test_legacy_headers_give_a_moment(front: Any) -> None:
    fields = (await front(limits="10/minute", headers="both").ask()).fields
    assert fields["x-ratelimit-remaining"] == "9"
    assert int(fields["x-ratelimit-reset"]) > 10**9


@both
@pytest.mark.parametrize(
    "options",
    [{"limits": "1/minute", "shadow": True}, {"rules": [Rule("a", "1/minute", shadow=True)]}],
)
async def test_a_shadow_lets_through_and_marks(front: Any, options: dict[str, Any]) -> None:
    limited = front(**options)
    assert "sidegate-shadow" not in (await limited.ask()).fields
    answer = await limited.ask()
    assert (answer.status, answer.fields["sidegate-shadow"]) == (200, "denied")


@both
@pytest.mark.parametrize(("options", "shown"), [({}, True), ({"expose_source": False}, False)])
async def test_who_decided_may_stay_a_secret(
    front: Any, options: dict[str, Any], shown: bool
) -> None:
    client = Checker(Source.OPEN) if front is Asgi else BlockingChecker(Source.OPEN)
    app = front(limits="1/hour", client=client, **options)
    assert ("sidegate-source" in (await app.ask()).fields) is shown


def always(made: object) -> Callable[[Request, Decision], object]:
    return lambda _request, _decision: made


def own_words(request: Request, decision: Decision) -> dict[str, object]:
    return {"success": False, "path": request.path, "retry": decision.retry_after}


@both
async def test_a_denial_may_have_words_of_its_own(front: Any) -> None:
    app = front(limits="1/hour", on_denied=own_words)
    assert (await app.ask("/x")).status == 200
    answer = await app.ask("/x")
    assert (answer.status, answer.fields["content-type"]) == (429, "application/json")
    assert json.loads(answer.body) == {"success": False, "path": "/x", "retry": 3600.0}
    assert answer.fields["retry-after"] == "3600"
    assert answer.fields["content-length"] == str(len(answer.body))
    assert answer.fields["cache-control"] == "no-store"
    assert answer.rules == ["default"]


@both
@pytest.mark.parametrize(
    ("made", "status", "kind", "body"),
    [
        ("slow down", 429, "text/plain; charset=utf-8", b"slow down"),
        (b"\x00", 429, "application/octet-stream", b"\x00"),
        ([1], 429, "application/json", b"[1]"),
        (("busy", 503), 503, "text/plain; charset=utf-8", b"busy"),
        (("<p>", 420, {"Content-Type": "text/html"}), 420, "text/html", b"<p>"),
        (None, 429, "application/problem+json", None),
    ],
)
async def test_each_form_of_an_own_denial(
    front: Any, made: object, status: int, kind: str, body: bytes | None
) -> None:
    app = front(limits="1/hour", on_denied=always(made))
    await app.ask()
    answer = await app.ask()
    assert (answer.status, answer.fields["content-type"]) == (status, kind)
    assert "retry-after" in answer.fields
    if body is not None:
        assert answer.body == body


@both
async def test_a_field_of_an_own_denial_may_have_letters_of_latin_1(front: Any) -> None:
    app = front(limits="1/hour", on_denied=always(("x", 429, {"x-why": " Café "})))
    await app.ask()
    answer = await app.ask()
    assert (answer.status, answer.fields["x-why"]) == (429, "Café")


@both
@pytest.mark.parametrize(
    "made",
    [
        7,
        ("x", 200),
        ("x", "429"),
        ("x", 429, ["a"]),
        ("x", 429, {"a": "b\nc: d"}),
        ("x", 429, {"a b": "c"}),
        ("x", 429, {"": "c"}),
        object(),
    ],
)
async def test_a_denial_that_is_nonsense_is_still_a_denial(
    front: Any, made: object, caplog: pytest.LogCaptureFixture
) -> None:
    app = front(limits="1/hour", on_denied=always(made))
    await app.ask()
    answer = await app.ask()
    assert (answer.status, answer.fields["content-type"]) == (429, "application/problem+json")
    assert "on_denied gave" in caplog.text


@both
async def test_on_denied_that_fails_is_one_line_however_often_and_whatever_it_says(
    front: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What a client sends can't write the app's log, by its number or by its line breaks."""

    def fails(*_: object) -> object:
        raise ValueError("bad\nERROR forged")

    app = front(limits="1/hour", on_denied=fails)
    assert [(await app.ask()).status for _ in range(5)] == [200, 429, 429, 429, 429]
    (line,) = [line for line in caplog.messages if "forged" in line]
    assert "\n" not in line
    assert "refused in the usual form" in line


class CORSMiddleware:
    """Is to its app what Starlette's is: it adds a field to each response."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_origin(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"access-control-allow-origin", b"*"))
            await send(message)

        await self.app(scope, receive, send_with_origin)


class Layer:
    """A middleware between."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.mark.parametrize("origin", [[("origin", "https://app.example")], []])
async def test_a_refusal_goes_out_through_cors_inside(origin: list[tuple[str, str]]) -> None:
    """Else a browser would keep it from the page that asked, with its Retry-After."""
    app = Asgi(limits="1/hour")
    inner = app.app
    inner.messages = ({**inner.messages[0], "headers": []}, inner.messages[1])
    app.limited._app = Layer(CORSMiddleware(inner))
    assert (await app.ask(lines=origin)).status == 200
    refused = await app.ask(lines=origin)
    assert refused.status == 429
    assert ("access-control-allow-origin" in refused.fields) is bool(origin)
    assert json.loads(refused.body)["status"] == 429
    assert len(inner.calls) == 1
