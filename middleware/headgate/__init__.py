"""headgate: rate limits shared by all processes of a service, without a store.

    app.add_middleware(RateLimitMiddleware, limits="100/minute")

The middleware asks the sidecar on this machine; see `headgate serve` for that one.
"""

from headgate.asgi import RateLimitMiddleware
from headgate.blocking import BlockingClient
from headgate.client import Client
from headgate.decision import Decision, Source
from headgate.errors import CheckError, CostError, HeadgateError, KeyTooLong, LimitError
from headgate.identity import Request, client_ip, header
from headgate.limits import Limit, Limits, parse_limits
from headgate.options import Tls
from headgate.rules import Rule
from headgate.version import __version__
from headgate.wsgi import RateLimitWSGIMiddleware

__all__ = [
    "BlockingClient",
    "CheckError",
    "Client",
    "CostError",
    "Decision",
    "HeadgateError",
    "KeyTooLong",
    "Limit",
    "LimitError",
    "Limits",
    "RateLimitMiddleware",
    "RateLimitWSGIMiddleware",
    "Request",
    "Rule",
    "Source",
    "Tls",
    "__version__",
    "client_ip",
    "header",
    "parse_limits",
]
