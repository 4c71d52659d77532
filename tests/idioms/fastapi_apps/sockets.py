"""A websocket each message of which is limited."""

from fastapi import FastAPI, WebSocket

from sidegate import RateLimitExceeded
from tests.idioms.apps.limiters import limiter_of

limiter = limiter_of("sockets")
app = FastAPI()


@app.websocket("/polite")
async def polite(websocket: WebSocket) -> None:
    """Say so when a message is one too many, and go on."""
    await websocket.accept()
    async for text in websocket.iter_text():
        try:
            await limiter.check_message(websocket, "2/day")
        except RateLimitExceeded as error:
            await websocket.send_text(error.detail)
        else:
            await websocket.send_text(text)


@app.websocket("/strict")
@limiter.limit("2/day")
async def strict(websocket: WebSocket) -> None:
    """Be closed by a message that is one too many; handshakes count by themselves."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await limiter.check_message(websocket)
        await websocket.send_text(text)


app.add_middleware(limiter.asgi)
