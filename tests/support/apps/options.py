"""What all apps under test hand to the middleware."""

from typing import Any, Final

from sidegate.http.keys import header
from sidegate.http.rules import Rule
from sidegate.middleware_options import Options

BY_KEY: Final = header("x-api-key")

# Windows are so long that no token comes back while a test looks, on however busy a machine.
RULES: Final = (
    Rule("login", "3/hour", path="/login", methods=["POST"]),
    Rule("api", "7/hour; 90/day", path="/api/*", key=BY_KEY),
    Rule("busy", "40/day", path="/busy", key=BY_KEY),
    # Each of them is counted at its owner, and its fields say what is left there.
    Rule("thousand", "1000/hour", path="/thousand", key=BY_KEY, lease=False),
    Rule("thousand a day", "1000/day", path="/thousand-a-day", key=BY_KEY, lease=False),
    Rule("plenty", "1000000/hour", path="/plenty", key=BY_KEY),
    Rule("default", "5/hour"),
)

OPTIONS: Final[Options[Any]] = {
    "rules": RULES,
    "exempt": ["/healthz"],
    "trusted_proxies": 1,  # so that each test can be a client of its own
    # Seconds. A busy machine never turns a slow answer into none; and when a sidecar is gone, who
    # waits out the budget instead of going on at once outlasts the patience of a test.
    "budget": 60.0,
}

WORKER: Final = "x-worker"
"""The field in which an app says which process answered."""
