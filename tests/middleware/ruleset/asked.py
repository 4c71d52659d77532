"""A rules file in Python, and what a request falls under by it, as both sides read it."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import pytest

from sidegate.asgi.middleware import ScopeRequest
from sidegate.http.request.proxies import NO_PROXIES, Proxies, parse_proxies
from sidegate.http.request.request import Request
from sidegate.ruleset.ruleset import RuleSet, read_rules
from sidegate.wsgi import EnvironRequest

RequestOf: TypeAlias = Callable[..., Request]
Lines: TypeAlias = list[tuple[str, str]]

PROXY: Final = "10.9.9.9"
TRUSTED: Final = parse_proxies([PROXY])
NOW: Final = 1_800_000_000.0  # 2027-01-15


def asgi(
    path: str = "/",
    method: str = "GET",
    lines: Lines | None = None,
    peer: str = "192.0.2.1",
    proxies: Proxies = NO_PROXIES,
) -> Request:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in lines or []]
    client = [peer, 1234] if peer else None
    scope = {"type": "http", "method": method, "path": path, "headers": headers, "client": client}
    return ScopeRequest(scope, proxies)


def wsgi(
    path: str = "/",
    method: str = "GET",
    lines: Lines | None = None,
    peer: str = "192.0.2.1",
    proxies: Proxies = NO_PROXIES,
) -> Request:
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode().decode("latin-1"),
        "REMOTE_ADDR": peer,
    }
    for name, value in lines or []:
        variable = "HTTP_" + name.upper().replace("-", "_")
        environ[variable] = f"{environ[variable]}, {value}" if variable in environ else value
    return EnvironRequest(environ, proxies)


both = pytest.mark.parametrize("request_of", [asgi, wsgi])


def rules(*entries: Mapping[str, Any], **more: Any) -> RuleSet:
    """Return a set of rules, named r0, r1, … and of 5/minute where they say nothing else."""
    written = [{"name": f"r{at}", "limits": "5/minute", **it} for at, it in enumerate(entries)]
    return read_rules({"version": 1, "rules": written, **more})


def asked(rule_set: RuleSet, request: Request, now: float = NOW) -> list[tuple[str, str]]:
    """Return the keys and limits that a request is asked about."""
    return [(it.key, it.rule.limits.text) for it in rule_set.questions(request, now)]


def names(rule_set: RuleSet, request: Request) -> list[str]:
    """Return the names of the rules that a request falls under."""
    return [it.rule.name for it in rule_set.questions(request, NOW)]
