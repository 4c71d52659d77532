"""The same API, moved over to sidegate."""

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from sidegate import Limiter, RateLimitExceeded, client_ip


def api_key(request: Request) -> str:
    return request.headers.get("x-api-key") or client_ip()(request)


def limit_of_plan(request: Request) -> str:
    return "9/minute" if api_key(request).startswith("pro-") else "2/minute"


def is_staff(request: Request) -> bool:
    return request.headers.get("x-staff") == "yes"


limiter = Limiter(key=api_key, default_limits=["5/minute"], headers="legacy")
app = FastAPI()
app.add_middleware(limiter.asgi)


@app.exception_handler(RateLimitExceeded)
async def slow_down(_: Request, error: RateLimitExceeded) -> Response:
    return JSONResponse({"error": f"slow down: {error.detail}"}, status_code=429)


@app.post("/login")
@limiter.limit("20/hour", key=client_ip())
@limiter.limit("2/minute", key=client_ip(), error_message="later, please")
async def login() -> dict[str, bool]:
    return {"welcome": True}


@app.get("/items")
async def items() -> list[str]:
    return ["apple", "pear"]


@app.get("/items/{name}")
def item(name: str) -> str:
    return name


@app.get("/search")
@limiter.limit(limit_of_plan)
async def search(q: str = "") -> list[str]:
    return [q]


@app.get("/export")
@limiter.limit("10/minute", cost=5)
def export() -> dict[str, int]:
    return {"rows": 1000}


database = limiter.shared_limit("3/minute", scope="database")
reports = APIRouter(prefix="/reports")


@reports.get("/daily")
@database
async def daily() -> dict[str, str]:
    return {"report": "daily"}


@reports.get("/weekly")
@database
async def weekly() -> dict[str, str]:
    return {"report": "weekly"}


app.include_router(reports)


@app.get("/orders")
@app.post("/orders")
@limiter.limit("1/minute", methods=["POST"], exempt_when=is_staff)
async def orders() -> list[int]:
    return [1]


@app.get("/both")
@limiter.limit("2/minute", override_defaults=False)
async def both() -> dict[str, bool]:
    return {"both": True}


@app.get("/healthz")
@limiter.exempt
async def healthz() -> dict[str, str]:
    return {"status": "ok"}
