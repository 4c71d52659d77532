"""A FastAPI app with three rules.

pip install "..[sidecar]"         # FastAPI and uvicorn come along
sidegate serve                    # in another terminal: the sidecar, on 127.0.0.1:7171
uvicorn fastapi_app:app

curl -i localhost:8000/api/hello -H "x-api-key: alice"
"""

from fastapi import FastAPI

from sidegate import Limiter, Request, Rule, header

app = FastAPI()


def weight(request: Request) -> int:
    """Count an export as twenty requests."""
    return 20 if request.path == "/api/export" else 1


# The first rule that matches applies. The sidecar is found by SIDEGATE_SIDECAR; every worker and
# every replica of the app counts into the same buckets, as long as their sidecars know each other.
limiter = Limiter(
    rules=[
        # Guessing passwords: by client address, which is what a rule without a key goes by.
        Rule("login", "5/minute", path="/login", methods=["POST"]),
        # Both limits must have room; a request without the header is counted by its address.
        Rule("api", "20/second; 1000/hour", path="/api/*", key=header("x-api-key"), cost=weight),
        Rule("everything else", "100/minute"),
    ],
    exempt=["/healthz"],  # probes must never be refused
    on_unreachable="open",  # or "closed", or "local": what happens when nobody can be asked
    trusted_proxies=0,  # load balancers in front, whose X-Forwarded-For is to be believed
)
app.add_middleware(limiter.asgi)  # before CORSMiddleware, which belongs around it


@app.post("/login")
async def login() -> dict[str, bool]:
    """Let each address try five times a minute."""
    return {"welcome": True}


@app.get("/api/hello")
async def hello() -> dict[str, str]:
    """Say it twenty times a second, a thousand times an hour."""
    return {"hello": "world"}


@app.get("/api/export")
async def export() -> list[int]:
    """Give everything, once a second."""
    return list(range(1000))


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Answer as often as anybody likes."""
    return {"status": "ok"}
