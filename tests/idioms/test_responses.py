"""What a refused client reads, who is told of it, and what a handler knows."""

from tests.idioms.rows import shows
from tests.support.apps.clients import assert_is_refusal
from tests.support.processes.caller import Caller


@shows("refusal of one's own")
def test_the_usual_refusal_in_other_words(fastapi: Caller) -> None:
    fastapi.ask("/responses/message")
    refused = fastapi.ask("/responses/message")
    assert refused.status_code == 429
    assert "come back tomorrow" in refused.json()["detail"]


@shows("refusal of one's own")
def test_a_body_a_status_and_fields_of_the_app(fastapi: Caller) -> None:
    fastapi.ask("/responses/on-denied")
    refused = fastapi.ask("/responses/on-denied")
    assert refused.status_code == 503
    assert refused.headers["x-reason"] == "limit"
    assert 0 < refused.json()["wait"] <= 86_400
    assert 0 < int(refused.headers["retry-after"]) <= 86_400


@shows("refusal of one's own")
def test_the_app_s_exception_handler_answers(fastapi: Caller) -> None:
    """It is of our exception, or of all that have the status."""
    fastapi.ask("/handled/page")
    refused = fastapi.ask("/handled/page")
    assert refused.text == "<h1>/handled/page: slow down, 1/day</h1>"
    assert refused.headers["content-type"].startswith("text/html")
    assert "retry-after" in refused.headers
    fastapi.ask("/by-status/json")
    assert fastapi.ask("/by-status/json").json() == {"error": "HTTPRateLimitExceeded"}


@shows("told of breaches")
def test_a_function_is_told_of_each_breach(fastapi: Caller) -> None:
    """And the usual response goes out."""
    before: list[str] = fastapi.ask("/responses/breaches").json()
    fastapi.ask("/responses/usual")
    refused = [fastapi.ask("/responses/usual") for _ in range(2)]
    assert_is_refusal(refused[0], violated=["usual"], longest_wait=86_400)
    after: list[str] = fastapi.ask("/responses/breaches").json()
    assert after[len(before) :] == ["1/day at /responses/usual"] * 2


@shows("fields on, off, renamed")
def test_fields_of_two_sets_of_names_or_none(fastapi: Caller) -> None:
    legacy, quiet = fastapi.ask("/legacy/"), fastapi.ask("/quiet/")
    assert legacy.headers["x-ratelimit-limit"] == "1"
    assert legacy.headers["x-ratelimit-remaining"] == "0"
    assert int(legacy.headers["x-ratelimit-reset"]) > 1_700_000_000
    assert "ratelimit" not in legacy.headers
    assert not [name for name in quiet.headers if "ratelimit" in name]
    assert int(fastapi.ask("/quiet/").headers["retry-after"]) > 0


@shows("fields on, off, renamed")
def test_names_of_the_app_s_own_take_a_middleware(fastapi: Caller) -> None:
    assert fastapi.ask("/quiet/").headers["x-left"] == "0"


@shows("the current request's limits in a handler")
def test_a_handler_knows_what_is_left(fastapi: Caller) -> None:
    answers = [fastapi.ask("/responses/current").json() for _ in range(2)]
    assert answers == [{"limit": 3, "remaining": left, "allowed": True} for left in (2, 1)]
