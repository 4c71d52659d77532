"""Functions of an app: which request they are called with, if with any."""

# A function of the request is one of any framework's, so lambdas have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from sidegate import Request, client_ip, header
from sidegate.limiter.limits.functions import AppFunction

if TYPE_CHECKING:
    from decimal import Decimal  # known to type checkers only


class Both:
    """A request in both forms."""

    request = "own"
    view: Any = "ours"


def nothing() -> str:
    return "nothing"


def own(request: Any) -> str:
    return str(request)


def ours(request: Request) -> str:
    return str(request)


def unknown(request: "Decimal") -> str:
    return str(request)


def unnamed(*arguments: Any) -> str:
    return str(*arguments)


def optional(request: Any = "default") -> str:
    return str(request)


def positional(request: Any, /, *, more: int = 7) -> str:
    return f"{request}{more}"


class Object:
    """May be called, and has methods that may."""

    def __call__(self, request: Request) -> str:
        return str(request)

    def method(self, request: Request) -> str:
        return str(request)

    @classmethod
    def of_class(cls, request: Any) -> str:
        return str(request)

    @staticmethod
    def without() -> str:
        return "nothing"


def two(_: object, request: Any) -> str:
    return str(request)


@pytest.mark.parametrize(
    ("function", "given"),
    [
        *[(nothing, "nothing"), (own, "own"), (ours, "ours"), (unknown, "own"), (unnamed, "own")],
        *[(optional, "own"), (positional, "own7"), (Object(), "ours"), (Object().method, "ours")],
        *[
            (Object.of_class, "own"),
            (Object.without, "nothing"),
            (partial(two, 7), "own"),
            (str, "own"),
        ],
        *[(lambda: "nothing", "nothing"), (lambda request: request, "own"), (repr, "'own'")],
    ],
)
def test_a_function_is_called_with_the_request_that_it_takes(
    function: Callable[..., object], given: str
) -> None:
    assert AppFunction("key", function)(Both()) == given


@pytest.mark.parametrize("function", [client_ip(), header("x-api-key"), ours, Object()])
def test_who_takes_ours_needs_no_framework(function: Callable[..., object]) -> None:
    assert AppFunction("key", function).is_ours


@pytest.mark.parametrize("function", [own, nothing, unnamed, unknown])
def test_who_takes_another_may_need_one(function: Callable[..., object]) -> None:
    assert not AppFunction("key", function).is_ours


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (lambda *all_: all_, ("own", "decision")),
        (lambda request, decision: (request, decision), ("own", "decision")),
        (lambda decision: decision, "decision"),
    ],
)
def test_more_is_given_after_the_request(function: Callable[..., object], given: object) -> None:
    assert AppFunction("on_denied", function, 1)(Both(), "decision") == given


@pytest.mark.parametrize("function", [lambda a, b: (a, b), lambda *, name: name, divmod, 7, None])
def test_what_can_not_be_called_so_is_refused(function: object) -> None:
    with pytest.raises(ValueError, match=r"^key=.*: expected a function of the request$"):
        AppFunction("key", function)
