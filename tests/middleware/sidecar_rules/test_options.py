"""Options with rules="sidecar": what contradicts it is an error at once that names the value."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sidegate import Limiter, RateLimitMiddleware, RateLimitWSGIMiddleware, Rule
from sidegate.buckets.decision import OnUnreachable
from tests.middleware.sidecar_rules.ruled import RuledBlockingChecker, RuledChecker, rules
from tests.support.middleware.asgi_app import App as AsgiApp
from tests.support.middleware.checker import Checker
from tests.support.middleware.wsgi_app import App as WsgiApp

RULE = Rule("api", "5/minute")


def in_asgi(**options: Any) -> object:
    return RateLimitMiddleware(AsgiApp(), **options)


def in_wsgi(**options: Any) -> object:
    return RateLimitWSGIMiddleware(WsgiApp(), **options)


def in_limiter(**options: Any) -> object:
    return Limiter(**options)


fronts = pytest.mark.parametrize("make", [in_asgi, in_wsgi, in_limiter])


@fronts
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"default": []}, r"default=\[\]: expected what applies until the sidecar's rules are"),
        ({"default": 5}, "default=5: expected what applies until the sidecar's rules are"),
        ({"default": "deny"}, "default='deny': limit \"deny\""),
        ({"default": ["5/minut"]}, 'default=.*unknown unit "minut"'),
        ({"default": [RULE, RULE]}, "rules: two of them are named 'api'"),
        ({"default": [RULE, 5]}, "rules: 5 must be a Rule"),
        ({"rules": "sidecars"}, "rules='sidecars': expected a list of Rules, or 'sidecar'"),
        ({"limits": "5/minute"}, "limits='5/minute': each rule of the file says that itself"),
        ({"cost": 2}, "cost=2: each rule of the file says that itself"),
        ({"preflights": True}, "preflights=True: each rule of the file says that itself"),
        ({"rules_copy": 5}, "rules_copy=5: expected the path of a file"),
        ({"rules_copy": ""}, "rules_copy='': expected the path of a file"),
        ({"rules_copy": "/"}, "rules_copy='/': expected the path of a file"),
        ({"client": Checker()}, "client=.*: expected a Client where rules='sidecar'"),
    ],
)
def test_what_contradicts_it_is_an_error(make: Any, wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make(**{"rules": "sidecar", "default": "allow", **wrong})


@pytest.mark.parametrize("make", [in_asgi, in_wsgi])
def test_a_key_belongs_to_the_file(make: Any) -> None:
    with pytest.raises(ValueError, match=r"key=.*: each rule of the file says that itself"):
        make(rules="sidecar", default="allow", key=str)


def test_a_limiter_has_a_key_for_limits_of_routes() -> None:
    Limiter(rules="sidecar", default="allow", key=str)


@fronts
@pytest.mark.parametrize("name", ["default", "rules_copy"])
@pytest.mark.parametrize("rest", [{"rules": [RULE]}, {"limits": "5/minute"}])
def test_what_goes_with_it_means_nothing_without(make: Any, name: str, rest: Any) -> None:
    with pytest.raises(ValueError, match=f"{name}='x': belongs to rules='sidecar'"):
        make(**{name: "x"}, **rest)


@pytest.mark.parametrize("make", [in_asgi, in_wsgi])
def test_a_client_that_was_given_keeps_its_policy(make: Any, tmp_path: Path) -> None:
    found = rules({})
    client: Any = RuledChecker(found) if make is in_asgi else RuledBlockingChecker(found)
    make(rules="sidecar", default="allow", client=client, rules_copy=tmp_path / "copy")
    assert (client.copy, client.follows) == (tmp_path / "copy", False)


@fronts
@pytest.mark.parametrize("policy", [None, "open", "closed"])
def test_what_code_says_of_unreachable_sidecars_goes_before_the_file(
    make: Any, policy: str | None
) -> None:
    said = {} if policy is None else {"on_unreachable": policy}
    made = make(rules="sidecar", default="allow", sidecar="127.0.0.1:9", **said)
    core = getattr(made, "_core", None)
    client = made._client if core is None else core.clients
    fallback = client.fallback
    for one in [getattr(client, "client", client)] if core is None else [core.clients.threads]:
        one.watch_rules()._put(rules({}, defaults={"on_unreachable": "closed"}), "x")
    assert fallback.policy is OnUnreachable(policy or "closed")
    limiter = made._limiter if core is None else core.enforcer.limiter
    assert limiter.policy() is fallback.policy


def test_who_has_rules_in_code_imports_nothing_for_those_of_a_sidecar() -> None:
    program = (
        "import sys; from sidegate import Limiter, RateLimitMiddleware, RateLimitWSGIMiddleware\n"
        "async def app(scope, receive, send): ...\n"
        "RateLimitMiddleware(app, limits='5/minute'); Limiter('5/minute')\n"
        "RateLimitWSGIMiddleware(lambda environ, start: [], limits='5/minute')\n"
        "print([it for it in sys.modules if 'ruleset' in it or 'client.rules' in it])\n"
        "Limiter(rules='sidecar', default='allow')\n"
        "print('sidegate.ruleset.ruleset' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", "True"]
