"""Whatever is wrong with what waits before requests of httpx is told when it is made."""

from math import nan
from typing import Any, Final

import httpx
import pytest

from sidegate import BlockingClient, Client
from sidegate.integrations.httpx import (
    AsyncRateLimitedTransport,
    AsyncRequestHook,
    RateLimitedTransport,
    RequestHook,
)

HOOKS: Final = (RequestHook, AsyncRequestHook)
TRANSPORTS: Final = (RateLimitedTransport, AsyncRateLimitedTransport)


async def slow(_: object) -> str:
    return ""


LIMITS = "expected a text such as '100/minute'"
KEY = "expected a plain function of the request"
COST = "expected a whole number from 0 to 2, the smallest burst of '2/minute'"
TIMEOUT = "expected seconds, 0 or more, or None"
WRONG: Final[dict[str, tuple[str, list[Any]]]] = {
    "limits": (LIMITS, [None, 10, 1.5, b"1/day", {"1/day": 1}, ["1/day", 7], slow, True]),
    "key": (KEY, [None, "", "host", 7, b"key", ["a"], True, slow]),
    "cost": (COST, [None, -1, 3, 1.0, 1.5, "1", True, [1]]),
    "timeout": (TIMEOUT, [-1, -0.1, nan, "5", True, [5], httpx.Timeout(5)]),
    "client": ("or None", ["127.0.0.1:1", BlockingClient, Client, 0, False]),
}
CASES: Final = [(option, it, said) for option, (said, values) in WRONG.items() for it in values]


@pytest.mark.parametrize("make", HOOKS + TRANSPORTS)
@pytest.mark.parametrize(("option", "value", "expected"), CASES)
def test_a_wrong_option_is_told(make: Any, option: str, value: object, expected: str) -> None:
    with pytest.raises(ValueError, match=f"^{option}=") as told:
        make(**{"limits": "2/minute"} | {option: value})
    assert f"{option}={value!r}"[:40] in str(told.value)
    assert expected in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("make", HOOKS + TRANSPORTS)
def test_limits_that_cannot_be_read_are_told(make: Any) -> None:
    with pytest.raises(ValueError, match=r"^limits='5/minuet': .*expected second"):
        make("5/minuet")


@pytest.mark.parametrize(
    ("make", "client", "expected"),
    [
        (RequestHook, Client(), "a BlockingClient, or None"),
        (RateLimitedTransport, Client(), "a BlockingClient, or None"),
        (AsyncRequestHook, BlockingClient(), "a Client, or None"),
        (AsyncRateLimitedTransport, BlockingClient(), "a Client, or None"),
    ],
)
def test_the_other_kind_of_client_is_told(make: Any, client: object, expected: str) -> None:
    with pytest.raises(ValueError, match=f"^client=.*: expected {expected}$"):
        make("2/minute", client=client)


@pytest.mark.parametrize(
    ("make", "others", "method"),
    [
        (RateLimitedTransport, httpx.AsyncHTTPTransport(), "handle_request"),
        (AsyncRateLimitedTransport, httpx.HTTPTransport(), "handle_async_request"),
    ],
)
def test_a_transport_that_is_none_is_told(make: Any, others: object, method: str) -> None:
    """As the other kind, its class, a client, or arguments in another order."""
    for wrong in (others, httpx.HTTPTransport, httpx.AsyncHTTPTransport, "https://a", 7, False):
        with pytest.raises(ValueError, match=r"^transport=.*: expected a transport") as told:
            make("2/minute", wrong)
        assert f"which has {method}(), or None" in str(told.value)


@pytest.mark.parametrize("make", HOOKS + TRANSPORTS)
def test_an_option_that_there_is_not_is_told_with_the_one_that_was_meant(make: Any) -> None:
    with pytest.raises(TypeError, match=r"^time_out is no option .*; did you mean timeout\?$"):
        make("2/minute", time_out=5)
    with pytest.raises(TypeError, match=r"^xyz is no option of what waits for its turn$"):
        make("2/minute", xyz=5)
