"""sidegate: rate limits shared by all processes of a service, without a store.

    limiter = Limiter("100/minute")
    app.add_middleware(limiter.asgi)

The middleware asks the sidecar on this machine; see `sidegate serve` for that one.
"""

from sidegate.asgi import RateLimitMiddleware
from sidegate.blocking import BlockingClient
from sidegate.client import Client
from sidegate.decision import Decision, Source
from sidegate.errors import (
    CheckError,
    CostError,
    KeyTooLong,
    LimitError,
    RepeatedField,
    SidegateError,
)
from sidegate.identity import basic_user, bearer, client_ip, header
from sidegate.limiter import Limiter
from sidegate.limits import Limit, Limits, parse_limits
from sidegate.options import Tls
from sidegate.request import Request
from sidegate.rules import Rule
from sidegate.version import __version__
from sidegate.wsgi import RateLimitWSGIMiddleware

__all__ = [
    "BlockingClient",
    "CheckError",
    "Client",
    "CostError",
    "Decision",
    "KeyTooLong",
    "Limit",
    "LimitError",
    "Limiter",
    "Limits",
    "RateLimitMiddleware",
    "RateLimitWSGIMiddleware",
    "RepeatedField",
    "Request",
    "Rule",
    "SidegateError",
    "Source",
    "Tls",
    "__version__",
    "basic_user",
    "bearer",
    "client_ip",
    "header",
    "parse_limits",
]
