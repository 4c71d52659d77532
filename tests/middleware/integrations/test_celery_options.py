"""Whatever is wrong where `limited` of Celery is written is told at import, in one line."""

from typing import Any, cast

import pytest

from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.integrations.celery import limited


async def slow() -> str:
    return ""


LIMITS = "expected a text such as '100/minute'"
KEY = "expected a text, a function of the task's arguments, or None"
SERVICE = "expected 1 to 64 printable ASCII characters"
WRONG: dict[str, tuple[str, list[object]]] = {
    "limits": (LIMITS, [None, 10, 1.5, b"1/day", {"1/day": 1}, ["1/day", 7], slow, True]),
    "key": (KEY, ["", 7, b"key", ["a"], True, slow]),
    "client": ("expected a BlockingClient, or None", ["127.0.0.1:1", BlockingClient, Client(), 0]),
    "service": (SERVICE, ["", "a/b", "a b", "a:b", "é", "a" * 65, 7, b"shop", True]),
}


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [(option, value, said) for option, (said, values) in WRONG.items() for value in values],
)
def test_a_wrong_option_is_told_at_import(option: str, value: object, expected: str) -> None:
    options: dict[str, Any] = {"limits": "1/day"} | {option: value}
    with pytest.raises(ValueError, match=f"^{option}=") as told:
        limited(**options)
    assert f"{option}={value!r}"[:40] in str(told.value)
    assert expected in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("", "nothing here"),
        ("1/dya", "expected second"),
        ("10", "10"),
        ("-1/day", "-1"),
        (["1/dya"], "day"),
    ],
)
def test_limits_that_cannot_be_read_are_told_at_import(limits: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said) as told:
        limited(limits)
    assert str(told.value).startswith(f"limits={limits!r}: ")


def test_an_option_that_there_is_not_is_told_at_import() -> None:
    with pytest.raises(TypeError, match="keys"):
        cast("Any", limited)("1/day", keys="a")


def nothing() -> str:
    return "a"


def less(account: int) -> int:
    return account


def without_default(account: int, page: int) -> int:
    return account + page


def another_name(account: int, side: int = 1) -> int:
    return account + side


def by_place(account: int, page: int = 1, /) -> int:
    return account + page


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (nothing, "too many positional arguments"),
        (less, "too many positional arguments"),
        (without_default, "missing a required argument: 'page'"),
        (another_name, "unexpected keyword argument 'page'"),
        (by_place, "account"),
    ],
)
def test_a_key_that_cannot_be_called_as_the_task_is_told_at_import(key: Any, why: str) -> None:
    def fetch(account: int, page: int = 1) -> None: ...

    with pytest.raises(ValueError, match=f"^key=<function {key.__name__} .*{why}") as told:
        limited("1/day", key=key)(fetch)
    assert str(told.value).endswith(" with the parameters (account: int, page: int = 1)")


def all_of_it(*args: object, **kwargs: object) -> str:
    return f"{args}{kwargs}"


def of_a_bound_task(task: object, account: int, wait: int = 0) -> str:
    return f"{task}{account}{wait}"


@pytest.mark.parametrize("key", [all_of_it, of_a_bound_task, str])
def test_keys_of_any_form_that_fits_are_taken(key: Any) -> None:
    """What a task takes without naming it can't be known, nor what a built-in function takes."""

    def fetch(self: Any, account: int, *pages: int, wait: int = 1, **more: int) -> None: ...

    limited("1/day", key=key)(fetch)


@pytest.mark.parametrize("function", [None, "send", 7, type("Send", (), {})])
def test_what_is_no_function_of_a_task_is_refused_at_import(function: Any) -> None:
    with pytest.raises(TypeError, match="expected the function of a task"):
        limited("1/day")(function)
