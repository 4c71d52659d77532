"""The app under load: FastAPI, and one line of sidegate.

Its limits are those that the scenario of the load test, `sidegate load --scenario standard`, knows.
"""

from fastapi import FastAPI

from sidegate import RateLimitMiddleware, Rule, header

app = FastAPI(title="sidegate under load")
API_KEY = header("x-api-key")

app.add_middleware(
    RateLimitMiddleware,
    rules=[
        Rule("below", "100/minute", path="/limited/below", key=API_KEY),
        Rule("above", "20/minute", path="/limited/above", key=API_KEY),
        Rule("hot", "50/second", path="/limited/hot", key=API_KEY),
        Rule("many", "10/minute", path="/limited/many", key=API_KEY),
        Rule("hourly", "10/hour", path="/limited/hourly", key=API_KEY),
    ],
    budget=0.25,  # seconds, five times the default: apps, sidecars and load share one machine here
)


@app.get("/limited/{group}")
async def limited(group: str) -> dict[str, str]:
    """Answer those who are let through."""
    return {"group": group}


@app.get("/free")
async def free() -> dict[str, str]:
    """Answer everyone: what a request costs without the limiter."""
    return {"group": "free"}


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process is alive."""
    return {"status": "ok"}
