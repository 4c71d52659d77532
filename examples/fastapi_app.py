"""A FastAPI app with limits on its routes.

pip install "..[sidecar]"         # FastAPI and uvicorn come along
sidegate serve                    # in another terminal: the sidecar, on 127.0.0.1:7171
uvicorn fastapi_app:app

curl -i localhost:8000/api/hello -H "x-api-key: alice"
"""

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse

from sidegate import Limiter, RateLimitExceeded, client_ip, header

# The sidecar is found by SIDEGATE_SIDECAR. Every worker and every replica of the app counts into
# the same buckets, as long as their sidecars know each other.
limiter = Limiter(
    default_limits="100/minute",  # of each route that has none of its own
    key=header("x-api-key"),  # a request without the field is counted by its address
    service="shop",
    on_unreachable="open",  # or "closed", or "local": what happens when nobody can be asked
    trusted_proxies=0,  # load balancers in front, whose X-Forwarded-For is to be believed
)
app = FastAPI()
app.add_middleware(limiter.asgi)
app.add_middleware(  # after the limiter, so that it stands around it
    CORSMiddleware,
    allow_origins=["https://shop.example"],
    expose_headers=["RateLimit", "RateLimit-Policy", "Retry-After"],
)


def limits_of_plan(request: Request) -> str:
    """Return what the caller's plan admits; a real app looks it up, for keys can be made up."""
    is_pro = request.headers.get("x-api-key", "").startswith("pro-")
    return "50/second; 20000/hour" if is_pro else "5/second; 1000/hour"


@app.post("/login")
@limiter.limit("5/minute; 20/hour", key=client_ip())  # guessing passwords, whoever it claims to be
async def login() -> dict[str, bool]:
    """Let each address try five times a minute."""
    return {"welcome": True}


# All routes of this router share the caller's plan. Other options: cost=, methods=, exempt_when=, …
api = APIRouter(prefix="/api", dependencies=[Depends(limiter.dep(limits_of_plan, scope="api"))])


@api.get("/hello")
async def hello() -> dict[str, int | str | None]:
    """Tell the caller what is left."""
    return {"hello": "world", "left": limiter.current.remaining}


@api.get("/export")
@limiter.limit("10/hour burst 2")  # and the plan's
async def export() -> list[int]:
    """Give everything, every six minutes."""
    return list(range(1000))


app.include_router(api)


@app.get("/healthz")
@limiter.exempt  # probes must never be refused
async def healthz() -> dict[str, str]:
    """Answer as often as anybody likes."""
    return {"status": "ok"}


@app.exception_handler(RateLimitExceeded)
async def slow_down(_: Request, error: RateLimitExceeded) -> JSONResponse:
    """Say it in this app's own form; the fields of the limits are added."""
    return JSONResponse({"error": str(error)}, error.status_code)
