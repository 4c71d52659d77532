"""Who shares a limit, and who is let off."""

from fastapi import FastAPI, Request

from tests.idioms.apps.limiters import limiter_of

limiter = limiter_of("scopes", default_limits="2/day", exempt=["/metrics", "/static/*"])
app = FastAPI()


@limiter.request_filter
def is_a_probe(request: Request) -> bool:
    """Let probes off all limits."""
    return request.headers.get("user-agent", "").startswith("probe/")


def tenant_of(request: Request) -> str:
    """Return whose buckets it takes from."""
    return f"tenant {request.path_params['tenant']}"


def is_internal(request: Request) -> bool:
    """Let some off one limit."""
    return request.headers.get("x-internal") == "yes"


@app.get("/reports")
@limiter.shared_limit("3/day", scope="database")
async def reports() -> str:
    """Share a limit."""
    return "ok"


@app.post("/search")
@limiter.shared_limit("3/day", scope="database")
def search() -> str:
    """Share it."""
    return "ok"


@app.get("/tenants/{tenant}/a")
@limiter.shared_limit("2/day", scope=tenant_of)
async def tenant_a(tenant: str) -> str:
    """Share a limit with what else there is of a tenant."""
    return tenant


@app.get("/tenants/{tenant}/b")
@limiter.shared_limit("2/day", scope=tenant_of)
async def tenant_b(tenant: str) -> str:
    """Share it."""
    return tenant


@app.get("/metrics")
@app.get("/static/{name}")
async def by_path(name: str = "") -> str:
    """Be exempt by path."""
    return name


@app.get("/free")
@limiter.exempt
async def free() -> str:
    """Be exempt by decorator."""
    return "ok"


@app.get("/internal")
@limiter.limit("1/day", exempt_when=is_internal)
async def internal() -> str:
    """Let some off."""
    return "ok"


@app.get("/default")
async def default() -> str:
    """Have the default limits."""
    return "ok"


app.add_middleware(limiter.asgi)
