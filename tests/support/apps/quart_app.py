"""A Quart app with limits on its views, its websocket and the messages of that."""

import asyncio

from quart import Quart, request, websocket

from sidegate import Limiter

# Windows are so long that no token comes back while a test looks, on however busy a machine.
limiter = Limiter("1000/day", service="shop", trusted_proxies=1, budget=60.0)
app = Quart(__name__)
limiter.init_app(app)


async def account() -> str | None:
    """Return who is to pay, once it has looked."""
    await asyncio.sleep(0)
    return request.args.get("account")


@app.get("/pay")
@limiter.limit("5/hour", key=account)
async def pay() -> dict[str, int | None]:
    """Tell what is left."""
    return {"left": limiter.current.remaining}


@app.get("/healthz")
@limiter.exempt
def healthz() -> str:
    """Answer as often as anybody likes."""
    return "ok"


@app.websocket("/echo")
@limiter.limit("3/hour")
async def echo() -> None:
    """Send back what comes, twice an hour."""
    while True:
        message = await websocket.receive()
        await limiter.check_message(websocket, "2/hour")
        await websocket.send(message)
