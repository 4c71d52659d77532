"""The examples of fastapi-limiter: dependencies, several of them, a callback, a websocket."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, WebSocket

from sidegate import Decision, Limiter, RateLimitExceeded


def callback(_: object, decision: Decision) -> tuple[dict[str, Any], int]:
    """Answer who is refused."""
    return {"detail": "Slow down", "wait": decision.retry_after}, 429


async def user_of(x_user: Annotated[str, Header()] = "") -> str | None:
    """Tell users apart; None isn't limited."""
    return x_user or None


limiter = Limiter(service="fastapi-limiter", trusted_proxies=1, on_denied=callback)
app = FastAPI()


@app.get("/healthz")
async def alive() -> str:
    """Say so."""
    return "ok"


@app.get("/", dependencies=[Depends(limiter.dep("2/hour"))])
async def index_get() -> str:
    """Have a limit."""
    return "got"


@app.post("/", dependencies=[Depends(limiter.dep("1/hour"))])
async def index_post() -> str:
    """Have another at the same path."""
    return "posted"


@app.get("/multiple", dependencies=[Depends(limiter.dep("3/hour")), Depends(limiter.dep("2/day"))])
async def multiple() -> str:
    """Have both."""
    return "ok"


@app.get("/skip")
@limiter.exempt
async def skip() -> str:
    """Have none."""
    return "ok"


@app.get("/user", dependencies=[Depends(limiter.dep("2/hour", key=Depends(user_of)))])
async def of_user() -> str:
    """Have a limit for each user."""
    return "ok"


@app.websocket("/ws")
async def talk(websocket: WebSocket) -> None:
    """Answer each text once in an hour; each text counts for itself."""
    await websocket.accept()
    async for text in websocket.iter_text():
        try:
            await limiter.check_message(websocket, "1/hour", scope=f"ws {text}")
        except RateLimitExceeded:
            await websocket.send_text("again?")
        else:
            await websocket.send_text("hello")


app.add_middleware(limiter.asgi)
