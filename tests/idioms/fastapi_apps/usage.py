"""Checks that a handler makes itself, and waits."""

from fastapi import FastAPI, HTTPException

from sidegate import Client, WaitTooLong
from tests.idioms.apps.limiters import limiter_of

limiter = limiter_of("usage")
client = Client(budget=60.0)
app = FastAPI()


@app.post("/mails/{to}")
async def mail(to: str) -> int:
    """Check a limit where it is known whom it is about."""
    decision = await client.check(f"mail:{to}", "2/day")
    if not decision.allowed:
        raise HTTPException(429, headers={"retry-after": str(int(decision.retry_after))})
    return decision.remaining or 0


@app.get("/limited")
@limiter.limit("2/day")
async def limited() -> str:
    """Have a limit."""
    return "ok"


@app.get("/spent/{address}")
async def spent(address: str) -> dict[str, int]:
    """Show what a client has spent of it."""
    return await limiter.peek(address, limited)


@app.delete("/spent/{address}")
async def start_anew(address: str) -> dict[str, int]:
    """Make it whole again."""
    return await limiter.reset(address, limited)


@app.get("/paced/{by}")
async def paced(by: str) -> str:
    """Take the time that it takes."""
    async with limiter.wait(f"paced:{by}", "20/second burst 1"):
        return by


@app.get("/paced-in-threads/{by}")
def paced_in_threads(by: str) -> str:
    """Do the same in a thread."""
    with limiter.wait_blocking(f"paced:{by}", "20/second burst 1"):
        return by


@app.get("/impatient/{by}")
async def impatient(by: str) -> str:
    """Give up at once where it would take too long."""
    try:
        async with limiter.wait(f"impatient:{by}", "1/day", timeout=5):
            return by
    except WaitTooLong as error:
        raise HTTPException(503, f"in {error.retry_after:.0f} s") from error


app.add_middleware(limiter.asgi)

# --- limits of breaches

strict = FastAPI()
impatient_with = limiter_of("strict", meta_limits="2/day")


@strict.get("/login")
@impatient_with.limit("1/day")
async def login() -> str:
    """Have a limit."""
    return "ok"


@strict.get("/other")
async def other() -> str:
    """Have none, but for those who were refused too often elsewhere."""
    return "ok"


strict.add_middleware(impatient_with.asgi)
app.mount("/strict", strict)
