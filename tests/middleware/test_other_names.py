"""What people write who come from another library is an error at once that says what it is here."""

from typing import Any

import pytest

from sidegate import Limiter, Rule, basic_user, client_ip, header
from sidegate.limiter.limits.other_names import OF_LIMITERS, OF_LIMITS

ANY: Any = Limiter()
MADE: Any = client_ip()
MAKERS: Any = [client_ip, header, basic_user]  # of keys


@pytest.mark.parametrize("name", OF_LIMITERS)
def test_an_option_of_another_limiter(name: str) -> None:
    """The nearest name isn't always what was meant, as default_limits for application_limits."""
    with pytest.raises(TypeError) as raised:
        Limiter("1/s", **{name: None})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert str(raised.value) == f"{name} is no option of a Limiter; here it is {OF_LIMITERS[name]}"


@pytest.mark.parametrize("make", [ANY.limit, ANY.dep])
@pytest.mark.parametrize("name", OF_LIMITS)
def test_an_option_of_another_decorator_or_dependency(make: Any, name: str) -> None:
    with pytest.raises(TypeError) as raised:
        make("1/s", **{name: None})
    assert str(raised.value) == f"{name} is no option of limit; here it is {OF_LIMITS[name]}"


def of_a_key(key: str) -> str:
    return "1/s" if key else "2/s"


of_any_key = eval("lambda key: '1/s'")  # without a type, as many are written


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Limiter(MADE), "limits=client_ip(v6_prefix=64): expected limits such as"),
        (lambda: Limiter("1/s", key=MAKERS[0]), "key=client_ip: expected what it returns, as in"),
        (lambda: ANY.limit("1/s", key=MAKERS[1]), "expected what it returns, as in key=header('x-"),
        (lambda: Rule("r", "1/s", key=MAKERS[2]), "key=basic_user: expected what it returns"),
        (lambda: ANY.limit(of_a_key), "but its argument is 'key' of type str"),
        (lambda: ANY.limit(of_any_key), "of the request, but its argument is 'key'"),
        (lambda: ANY.limit("1/s", cost=of_a_key), "cost=<function of_a_key at"),
    ],
)
def test_a_function_where_it_does_not_belong(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=r"^\w+=") as raised:
        make()
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
