"""The limits under which every framework is served: wide ones, tight ones, and both."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sidegate import Rule, header
from tests.cluster.spelling.frameworks.views import EXEMPT, rules

CASE: Final = "x-case"  # a field that gives each test buckets of its own
TIGHT: Final = 3  # requests
WIDE: Final = "1000000/hour burst 1000000"
ROOT_PATH: Final = "/root"  # under which some servers serve

OPTIONS: Final[dict[str, dict[str, Any]]] = {
    # It only has to tell which rule a request was counted under.
    "wide": {"rules": rules(WIDE)},
    "wide rooted": {"rules": rules(WIDE, under=ROOT_PATH)},
    "tight": {"rules": rules(f"{TIGHT}/hour", header(CASE))},
    # Generous rules before and after tight ones, as a catalogue before a login and "the rest" are.
    "mixed": {
        "rules": [
            Rule("open", WIDE, path="/open/*"),
            *rules(f"{TIGHT}/hour", header(CASE)),
            Rule("rest", WIDE),
        ]
    },
}
COMMON: Final[dict[str, Any]] = {
    "exempt": EXEMPT,
    "budget": 1.0,  # seconds: the machine may be busy, and an answer of nobody says nothing
    "on_unreachable": "closed",
}


def apps(frameworks: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """Return each framework's app under each limit, by names like "flask tight"."""
    return {
        f"{name} {limit}": build(**options, **COMMON)
        for name, build in frameworks.items()
        for limit, options in OPTIONS.items()
    }
