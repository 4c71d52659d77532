"""Functions that make a response are called where nothing can be awaited: others are refused."""

from functools import partial
from typing import Any

import pytest

from sidegate import Limiter, RateLimitMiddleware
from tests.support.middleware.asgi_app import App

LIMIT: Any = Limiter().limit
MIDDLEWARE: Any = partial(RateLimitMiddleware, App())


async def awaited(*_: object) -> str:
    return "later"


class Awaited:
    async def __call__(self, *_: object) -> str:
        return "later"


@pytest.mark.parametrize("function", [awaited, Awaited()])
@pytest.mark.parametrize(
    ("make", "option"),
    [
        (LIMIT, "on_denied"),
        (LIMIT, "error_message"),
        (LIMIT, "charge_when"),
        (Limiter, "on_denied"),
        (MIDDLEWARE, "on_denied"),
    ],
)
def test_a_coroutine_function_is_refused(make: Any, option: str, function: object) -> None:
    """Else clients would read of a coroutine object."""
    with pytest.raises(ValueError, match=rf"^{option}=.*: expected .*plain function"):
        make(limits="1/s", **{option: function})
