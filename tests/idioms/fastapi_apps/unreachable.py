"""What each policy makes of a sidecar that isn't there; and a limiter that is switched off."""

from fastapi import FastAPI

from tests.idioms.apps.limiters import limiter_of

POLICIES = ("open", "closed", "local")

app = FastAPI()


@app.get("/healthz")
async def alive() -> str:
    """Say so."""
    return "ok"


def app_of(policy: str, **options: bool) -> FastAPI:
    """Return an app with a limit, and with a policy."""
    limiter = limiter_of(f"unreachable-{policy}", "3/day", on_unreachable=policy, **options)
    made = FastAPI()
    made.get("/")(alive)
    made.add_middleware(limiter.asgi)
    return made


for each in POLICIES:
    app.mount(f"/{each}", app_of(each))
app.mount("/disabled", app_of("closed", enabled=False))
