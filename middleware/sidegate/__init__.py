"""sidegate: rate limits shared by all processes of a service, without a store.

    app.add_middleware(RateLimitMiddleware, limits="100/minute")

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
    NoEventLoop,
    SidegateError,
)
from sidegate.identity import Request, client_ip, header
from sidegate.limits import Limit, Limits, parse_limits
from sidegate.options import Tls
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
    "Limits",
    "NoEventLoop",
    "RateLimitMiddleware",
    "RateLimitWSGIMiddleware",
    "Request",
    "Rule",
    "SidegateError",
    "Source",
    "Tls",
    "__version__",
    "client_ip",
    "header",
    "parse_limits",
]
