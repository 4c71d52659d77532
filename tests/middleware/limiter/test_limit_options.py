"""What is wrong in limit(), shared_limit() and dep() is told in one line, where it is written."""

import re
from functools import partial
from typing import Any, Final

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from sidegate import Limiter, parse_limits
from sidegate.limiter.limits.marks import MARKS
from sidegate.limiter.limits.route_limit import LimitOptions

LIMITER: Final = Limiter("100/minute", default_limits="10/minute")
OPTIONS: Final = ["limits", *LimitOptions.__annotations__]


class Loud:
    """Is shown in lines that nobody wants to read."""

    def __repr__(self) -> str:
        return "one\ntwo\n" * 100


class Mute:
    """Can't be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


async def later(*_: object) -> str:
    """Has to be awaited."""
    return "x"


class Later:
    """Is called as `later` is."""

    async def __call__(self, *_: object) -> str:
        return "x"


def needs_three(_a: object, _b: object, _c: object) -> str:
    """Is no function of a request."""
    return "x"


def needs_name(_request: object, *, name: str) -> str:
    """As little."""
    return name


VALUES: Final[list[Any]] = [
    *[None, 7, -1, True, False, 1.5, float("nan"), 10**40, "", "x", "a/b", "é", "5/minuet", "\n"],
    *[b"x", [], [7], ["GET", 7], ["1/s", None], {}, set(), (), object(), Loud(), Mute(), Depends()],
    *["x" * 1_000, ["x" * 1_000] * 100, later, Later(), needs_three, needs_name, Starlette()],
    *[range(3), re.compile("x"), int, print, divmod, parse_limits("1/s"), [parse_limits("1/s")]],
]


def made(how: str, options: dict[str, Any]) -> object:
    limits = options.pop("limits", "10/second")
    if how == "shared_limit":
        options = {"scope": "db"} | options
        return LIMITER.shared_limit(limits, **options)
    return getattr(LIMITER, how)(limits, **options)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("how", ["limit", "shared_limit", "dep"])
@pytest.mark.parametrize("option", OPTIONS)
def test_any_value_is_taken_or_named(how: str, option: str) -> None:
    """Whatever it is, the error is a ValueError of one line that names the option."""
    for value in VALUES:
        try:
            made(how, {option: value})
        except ValueError as error:
            said = str(error)
            assert said.startswith(option)
            assert "\n" not in said
            assert len(said) < 400


@pytest.mark.parametrize("option", ["limits", "default_limits", "key", "cost", "on_denied"])
def test_any_value_of_the_limiter_is_taken_or_named(option: str) -> None:
    given: dict[str, Any] = {"limits": "10/second"}
    for value in VALUES:
        try:
            Limiter(**given | {option: value})
        except ValueError as error:
            said = str(error)
            assert option in said
            assert "\n" not in said
            assert len(said) < 400


FUNCTION: Final = "expected a function of the request"
PLAIN: Final = "expected a plain function"
WRONG: Final[dict[str, dict[str, list[Any]]]] = {
    "limits": {
        "expected a text such as": [7, None, b"1/s", {}, [7], ["1/s", None], True],
        "unknown unit": ["5/minuet", ["5/second", "5/minuet"]],
        FUNCTION: [needs_three, needs_name],
    },
    "key": {FUNCTION: ["ip", 7, True, b"x", [], {}, needs_three, needs_name]},
    "cost": {
        "expected from 0 to 10, the smallest burst, or a function": [-1, 11, 1.0, True, "1", None],
        FUNCTION: [needs_three],
    },
    "methods": {
        "must be a list of methods": ["GET", b"GET", [], 7, {}],
        "is no method": [["ALL"], ["any"], ["*"], [7], [b"GET"], ["GET,PUT"], ["WEBSOCKET"]],
    },
    "per_method": {"expected True or False": [None, 1, 0, "yes", [], "True"]},
    "sync": {"expected True or False": [None, 1, 0, "yes", [], "True"]},
    "override_defaults": {"expected True or False": [None, 1, 0, "no", []]},
    "scope": {
        "must be 1 to 64 printable ASCII": ["", "a/b", "a:b", "é", "x" * 65, 7, True, b"x", []],
        FUNCTION: [needs_three],
    },
    "default": {"belongs to limits='@NAME'": ["5/minute", 7, True, [], {}]},
    "lease": {"expected True or False": [7, "x", 0, None]},
    "exempt_when": {FUNCTION: [True, 7, "x", [], needs_three]},
    "charge_when": {
        "expected a plain function of the response": [True, 7, "x", [404], later, Later()],
        FUNCTION: [needs_three],
    },
    "on_denied": {
        "expected a function of the request and the decision": ["x", 7, [], needs_three],
        PLAIN: [later, Later()],
    },
    "error_message": {
        "expected a text, or a plain function": [7, b"x", [], True, later, Later()],
        FUNCTION: [needs_three],
    },
}


@pytest.mark.parametrize("how", ["limit", "shared_limit", "dep"])
@pytest.mark.parametrize(
    ("option", "expected", "value"),
    [
        (option, expected, value)
        for option, wrong in WRONG.items()
        for expected, values in wrong.items()
        for value in values
    ],
)
def test_a_wrong_value_is_told_with_what_was_expected(
    how: str, option: str, expected: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=f"^{option}") as told:
        made(how, {option: value})
    assert expected in str(told.value)


def test_every_option_is_in_the_table() -> None:
    assert sorted(WRONG) == sorted(OPTIONS)


@pytest.mark.parametrize("scope", [None, ""])
def test_a_shared_limit_has_a_scope(scope: Any) -> None:
    with pytest.raises(ValueError, match=r"scope="):
        LIMITER.shared_limit("1/s", scope)


@pytest.mark.parametrize("how", ["limit", "shared_limit", "dep"])
def test_an_option_that_there_is_not_is_named_with_the_one_it_may_be(how: str) -> None:
    with pytest.raises(TypeError, match=r"^method is no option of limit; did you mean methods"):
        made(how, {"method": ["GET"]})


@pytest.mark.parametrize("option", ["rules", "default_limits", "burst", "self", ""])
@pytest.mark.parametrize("how", ["limit", "shared_limit", "dep"])
def test_options_of_others_are_none_here(how: str, option: str) -> None:
    with pytest.raises(TypeError):
        made(how, {option: 1})


def test_a_dependency_that_names_nothing_is_no_key() -> None:
    with pytest.raises(ValueError, match=r"key=Depends.*: expected a function"):
        LIMITER.dep("1/minute", key=Depends())
    with pytest.raises(ValueError, match=r"key=Depends.*: expected a function of the request"):
        LIMITER.limit("1/minute", key=Depends(later))


def view() -> None:
    """Is marked in tests."""


async def application(*_: object) -> None:
    """Is an ASGI app."""


@pytest.mark.parametrize(
    "marked",
    [
        *[None, 7, "view", [], {}, object(), print, int, len, Starlette(), FastAPI(), APIRouter()],
        *[Route("/x", view), Mount("/x", application)],
    ],
)
@pytest.mark.parametrize("mark", [LIMITER.limit("1/s"), LIMITER.exempt])
def test_what_is_never_an_endpoint_can_have_no_limits(mark: Any, marked: Any) -> None:
    """A router least of all: nobody would look there."""
    with pytest.raises(TypeError, match="can't have limits") as told:
        mark(marked)
    assert "\n" not in str(told.value)


class Views:
    """Has methods of all kinds."""

    def of_object(self) -> None: ...

    @classmethod
    def of_class(cls) -> None: ...

    @staticmethod
    def of_none() -> None: ...

    def __call__(self) -> None: ...


@pytest.mark.parametrize(
    "marked",
    [
        *[view, partial(view), Views, Views(), Views().of_object, Views.of_class, Views.of_none],
        *[lambda: None, staticmethod(view), vars(Views)["of_class"], type("New", (Views,), {})],
    ],
)
def test_whatever_else_is_called_can_and_is_returned_as_it_is(marked: Any) -> None:
    limiter = Limiter()
    assert limiter.limit("1/s")(marked) is marked
    assert limiter.exempt(marked) is marked
    bearer = getattr(marked, "__func__", marked)
    marks = [mark for mark in getattr(bearer, MARKS) if mark.limiter is limiter]
    assert [mark.limit is None for mark in marks] == [False, True]


@pytest.mark.parametrize("value", [None, 7, "view", [], needs_three])
def test_a_filter_is_a_function_of_the_request(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^request_filter=.*expected a function of the request"):
        LIMITER.request_filter(value)


def test_methods_may_be_any_iterable_and_in_small_letters() -> None:
    for methods in (iter(["get", "post"]), {"GET": 1, "POST": 2}, {"GET", "POST"}):
        marked = LIMITER.limit("1/s", methods=methods)(lambda: None)
        (mark,) = getattr(marked, MARKS)
        assert mark.limit.methods == {"GET", "HEAD", "POST"}
