"""What apps do with slowapi: each scenario is an app, and the requests to it."""

# slowapi wants a request as an argument.
# ruff: noqa: ARG001

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from fastapi import Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from tests.compat.slowapi.libraries import Answer, Bench

Scenario: TypeAlias = Callable[[Bench], list[Answer]]


def a_decorator(bench: Bench) -> list[Answer]:
    """Each path counts for itself, and 5/minute is whole again when its window is over."""
    limiter = bench.limiter(headers_enabled=True)

    @bench.app.get("/items/{item}")
    @limiter.limit("5/minute")
    async def items(request: Request, item: str) -> Response:
        return PlainTextResponse(item)

    seen = bench.get("/items/1", 7) + bench.get("/items/2")
    bench.clock.advance(59)
    seen += bench.get("/items/1")
    bench.clock.advance(1)
    return seen + bench.get("/items/1", 6)


def a_decorator_of_a_plain_function(bench: Bench) -> list[Answer]:
    """It is called in a thread."""
    limiter = bench.limiter(headers_enabled=True)

    @bench.app.get("/plain")
    @limiter.limit("2 per minute")
    def plain(request: Request) -> Response:
        return PlainTextResponse("here")

    return bench.get("/plain", 4)


def a_view_that_returns_no_response(bench: Bench) -> list[Answer]:
    """Its fields are on the response that it is given."""
    limiter = bench.limiter(headers_enabled=True)

    @bench.app.get("/value")
    @limiter.limit("2/minute")
    def value(request: Request, response: Response) -> dict[str, int]:
        return {"value": 1}

    return bench.get("/value", 3)


def default_limits(bench: Bench) -> list[Answer]:
    """The middleware checks them, for routes without a decorator."""
    limiter = bench.limiter(headers_enabled=True, default_limits=["3/minute"])

    @bench.app.get("/a")
    async def a() -> str:
        return "a"

    @bench.app.get("/b")
    @limiter.limit("4/minute")
    async def b(request: Request, response: Response) -> str:
        return "b"

    @bench.app.get("/c")
    @limiter.exempt
    def c() -> str:
        return "c"

    seen = bench.get("/a", 4) + bench.get("/b", 5) + bench.get("/c", 5) + bench.get("/nowhere", 4)
    bench.clock.advance(60)
    return seen + bench.get("/a")


def application_limits(bench: Bench) -> list[Answer]:
    """All routes without a decorator share them."""
    limiter = bench.limiter(headers_enabled=True, application_limits=["3/hour"])

    @bench.app.get("/a")
    async def a() -> str:
        return "a"

    @bench.app.get("/b")
    async def b() -> str:
        return "b"

    @bench.app.get("/c")
    @limiter.limit("2/minute")
    async def c(request: Request, response: Response) -> str:
        return "c"

    return bench.get("/a", 2) + bench.get("/b", 2) + bench.get("/a") + bench.get("/c", 3)


def a_shared_limit(bench: Bench) -> list[Answer]:
    """Two routes, one count."""
    limiter = bench.limiter(headers_enabled=True)
    shared = limiter.shared_limit("3/minute", scope="database")

    @bench.app.get("/daily")
    @shared
    async def daily(request: Request, response: Response) -> str:
        return "daily"

    @bench.app.get("/weekly")
    @shared
    def weekly(request: Request, response: Response) -> str:
        return "weekly"

    return bench.get("/daily", 2) + bench.get("/weekly", 2) + bench.get("/daily")


def several_limits(bench: Bench) -> list[Answer]:
    """The response tells of the one with the shortest unit, or of the one that refused."""
    limiter = bench.limiter(headers_enabled=True)

    @bench.app.get("/")
    @limiter.limit("2/second; 5 per minute; 100/hour")
    async def view(request: Request, response: Response) -> str:
        return "here"

    seen: list[Answer] = []
    for _ in range(4):
        seen += bench.get("/", 2)
        bench.clock.advance(1)
    return seen


def methods(bench: Bench) -> list[Answer]:
    """A limit may be for some methods, or each method count for itself."""
    limiter = bench.limiter()

    @bench.app.api_route("/some", methods=["GET", "POST"])
    @limiter.limit("1/minute", methods=["POST"])
    async def some(request: Request) -> str:
        return "some"

    @bench.app.api_route("/each", methods=["GET", "POST"])
    @limiter.limit("1/minute", per_method=True)
    async def each(request: Request) -> str:
        return "each"

    seen = bench.get("/some", 3) + bench.get("/some", 2, "POST")
    return seen + bench.get("/each", 2) + bench.get("/each", 2, "POST")


def exempt_when(bench: Bench) -> list[Answer]:
    """Its function may take the request, or nothing."""
    limiter = bench.limiter()

    def is_staff(request: Request) -> bool:
        return "x-staff" in request.headers

    @bench.app.get("/staff")
    @limiter.limit("1/minute", exempt_when=is_staff)
    async def staff(request: Request) -> str:
        return "staff"

    @bench.app.get("/always")
    @limiter.limit("1/minute", exempt_when=lambda: True)
    async def always(request: Request) -> str:
        return "always"

    return bench.get("/staff", 2) + bench.get("/staff", 2, x_staff="1") + bench.get("/always", 3)


def costs(bench: Bench) -> list[Answer]:
    """A number, or a function of the request; above the limit it never passes."""
    limiter = bench.limiter()

    def by_header(request: Request) -> float:
        return int(request.headers["x-size"]) * 1.5

    @bench.app.get("/fixed")
    @limiter.limit("10/minute", cost=4)
    async def fixed(request: Request) -> str:
        return "fixed"

    @bench.app.get("/asked")
    @limiter.limit("15/minute", cost=by_header)
    async def asked(request: Request) -> str:
        return "asked"

    seen = bench.get("/fixed", 3)
    return seen + bench.get("/asked", 3, x_size="4") + bench.get("/asked", 1, x_size="400")


def keys_and_plans(bench: Bench) -> list[Answer]:
    """A function of the limit is told the key, if it wants it."""

    def api_key(request: Request) -> str:
        return request.headers.get("x-api-key", "nobody")

    def plan(key: str) -> str:
        return "3/minute" if key.startswith("pro") else "1/minute"

    limiter = bench.limiter(key_func=api_key, default_limits=["4/minute"])

    @bench.app.get("/plan")
    @limiter.limit(plan)
    async def by_plan(request: Request) -> str:
        return "plan"

    @bench.app.get("/told")
    @limiter.limit(lambda: "2/minute", key_func=lambda: "all")
    async def told(request: Request) -> str:
        return "told"

    seen = bench.get("/plan", 2) + bench.get("/plan", 6, x_api_key="pro-1")
    return seen + bench.get("/told", 3, x_api_key="b")


def defaults_and_own(bench: Bench) -> list[Answer]:
    """Both apply where the own one doesn't override."""
    limiter = bench.limiter(headers_enabled=True, default_limits=["4/hour"])

    @bench.app.get("/")
    @limiter.limit("2/minute", override_defaults=False)
    async def view(request: Request, response: Response) -> str:
        return "here"

    seen = bench.get("/", 2)
    bench.clock.advance(60)
    seen += bench.get("/", 2)
    bench.clock.advance(60)
    return seen + bench.get("/", 1)


def error_messages(bench: Bench) -> list[Answer]:
    """A text, or a function that returns one."""
    limiter = bench.limiter()

    @bench.app.get("/text")
    @limiter.limit("1/minute", error_message="later, please")
    async def text(request: Request) -> str:
        return "text"

    @bench.app.get("/function")
    @limiter.limit("1/minute", error_message=lambda: "much later")
    async def function(request: Request) -> str:
        return "function"

    return bench.get("/text", 2) + bench.get("/function", 2)


def styles_of_keys(bench: Bench) -> list[Answer]:
    """By endpoint, paths of one route count together."""
    limiter = bench.limiter(key_style="endpoint", key_prefix="shop")

    @bench.app.get("/items/{item}")
    @limiter.limit("2/minute")
    async def items(request: Request, item: str) -> str:
        return item

    @bench.app.get("/state")
    @limiter.limit("2/minute")
    async def state(request: Request) -> list[object]:
        rate, args = request.state.view_rate_limit
        return [str(rate), rate.amount, rate.multiples, rate.get_expiry(), rate.key_for(*args)]

    return bench.get("/items/1", 2) + bench.get("/items/2") + bench.get("/state")


def dates(bench: Bench) -> list[Answer]:
    """Retry-After is a date, and one that the view has set stays if it is later."""
    limiter = bench.limiter(headers_enabled=True, retry_after="http-date")

    @bench.app.get("/")
    @limiter.limit("1/minute")
    async def view(request: Request) -> Response:
        return PlainTextResponse("here", headers={"Retry-After": request.headers["x-wait"]})

    @bench.app.get("/late")
    @limiter.limit("1/minute")
    async def late(request: Request) -> Response:
        return PlainTextResponse("here", headers={"Retry-After": "7200"})

    return bench.get("/", 1, x_wait="5") + bench.get("/", 1, x_wait="5") + bench.get("/late")


def a_handler_of_the_app(bench: Bench) -> list[Answer]:
    """It may await, and has slowapi's fields put on its response."""

    async def slow_down(request: Request, error: Any) -> Response:
        response = JSONResponse({"slow": error.detail, "limit": str(error.limit.limit)}, 429)
        limiter: Any = request.app.state.limiter
        told: Response = limiter._inject_headers(response, request.state.view_rate_limit)
        return told

    bench.middleware = "SlowAPIASGIMiddleware"  # the other one calls slowapi's own instead
    limiter = bench.limiter(slow_down, headers_enabled=True, default_limits=["2/minute"])

    @bench.app.get("/own")
    @limiter.limit("1/minute")
    async def own(request: Request, response: Response) -> str:
        return "own"

    @bench.app.get("/default")
    async def default() -> str:
        return "default"

    return bench.get("/own", 2) + bench.get("/default", 3)


def checks_by_hand(bench: Bench) -> list[Answer]:
    """Without auto_check only what the app checks is limited."""
    limiter = bench.limiter(auto_check=False, headers_enabled=True, default_limits=["2/minute"])

    @bench.app.get("/")
    def view(request: Request) -> Response:
        limiter._check_request_limit(request, view, False)
        return PlainTextResponse("here")

    return bench.get("/", 3)


def switched_off(bench: Bench) -> list[Answer]:
    """Nothing is limited, and nothing told."""
    limiter = bench.limiter(enabled=False, headers_enabled=True, default_limits=["1/minute"])

    @bench.app.get("/own")
    @limiter.limit("1/minute")
    async def own(request: Request) -> str:
        return "own"

    @bench.app.get("/default")
    async def default() -> str:
        return "default"

    return bench.get("/own", 3) + bench.get("/default", 3)


def a_reset(bench: Bench) -> list[Answer]:
    """All is forgotten."""
    limiter = bench.limiter()

    @bench.app.get("/")
    @limiter.limit("1/minute")
    async def view(request: Request) -> str:
        return "here"

    seen = bench.get("/", 2)
    limiter.reset()
    return seen + bench.get("/", 2)


def limits_that_cannot_be_read(bench: Bench) -> list[Answer]:
    """They are logged and limit nothing; the defaults apply."""
    limiter = bench.limiter(default_limits=["2/minute"])

    @bench.app.get("/text")
    @limiter.limit("5/fortnight")
    async def text(request: Request) -> str:
        return "text"

    @bench.app.get("/function")
    @limiter.limit(lambda: "often")
    async def function(request: Request) -> str:
        return "function"

    return bench.get("/text", 3) + bench.get("/function", 3)


MOVE_TIME: Final[tuple[Scenario, ...]] = (
    a_decorator,
    default_limits,
    several_limits,
    defaults_and_own,
)
STAND_STILL: Final[tuple[Scenario, ...]] = (
    a_decorator_of_a_plain_function,
    a_view_that_returns_no_response,
    application_limits,
    a_shared_limit,
    methods,
    exempt_when,
    costs,
    keys_and_plans,
    error_messages,
    styles_of_keys,
    dates,
    a_handler_of_the_app,
    checks_by_hand,
    switched_off,
    a_reset,
    limits_that_cannot_be_read,
)
