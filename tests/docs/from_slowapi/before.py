"""A shop's API that slowapi limits."""

# slowapi has types that don't hold, and wants arguments that nobody uses.
# ruff: noqa: ARG001
# pyright: basic
# mypy: disable-error-code="no-any-return,untyped-decorator"

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address


def api_key(request: Request) -> str:
    return request.headers.get("x-api-key") or get_remote_address(request)


def limit_of_plan(key: str) -> str:
    return "9/minute" if key.startswith("pro-") else "2/minute"


def is_staff(request: Request) -> bool:
    return request.headers.get("x-staff") == "yes"


limiter = Limiter(key_func=api_key, default_limits=["5/minute"], headers_enabled=True)
app = FastAPI()
app.state.limiter = limiter
app.add_middleware(SlowAPIMiddleware)


@app.exception_handler(RateLimitExceeded)
async def slow_down(request: Request, error: RateLimitExceeded) -> Response:
    response = JSONResponse({"error": f"slow down: {error.detail}"}, status_code=429)
    return request.app.state.limiter._inject_headers(response, request.state.view_rate_limit)


@app.post("/login")
@limiter.limit("20/hour", key_func=get_remote_address)
@limiter.limit("2/minute", key_func=get_remote_address, error_message="later, please")
async def login(request: Request, response: Response) -> dict[str, bool]:
    return {"welcome": True}


@app.get("/items")
async def items() -> list[str]:
    return ["apple", "pear"]


@app.get("/items/{name}")
def item(name: str) -> str:
    return name


@app.get("/search")
@limiter.limit(limit_of_plan)
async def search(request: Request, response: Response, q: str = "") -> list[str]:
    return [q]


@app.get("/export")
@limiter.limit("10/minute", cost=5)
def export(request: Request, response: Response) -> dict[str, int]:
    return {"rows": 1000}


database = limiter.shared_limit("3/minute", scope="database")
reports = APIRouter(prefix="/reports")


@reports.get("/daily")
@database
async def daily(request: Request, response: Response) -> dict[str, str]:
    return {"report": "daily"}


@reports.get("/weekly")
@database
async def weekly(request: Request, response: Response) -> dict[str, str]:
    return {"report": "weekly"}


app.include_router(reports)


@app.get("/orders")
@app.post("/orders")
@limiter.limit("1/minute", methods=["POST"], exempt_when=is_staff)
async def orders(request: Request, response: Response) -> list[int]:
    return [1]


@app.get("/both")
@limiter.limit("2/minute", override_defaults=False)
async def both(request: Request, response: Response) -> dict[str, bool]:
    return {"both": True}


@app.get("/healthz")
@limiter.exempt
async def healthz() -> dict[str, str]:
    return {"status": "ok"}
