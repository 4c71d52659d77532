"""`sidegate rules explain`: which rule a request falls under, why, and what is left."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.in_process.cluster import cluster
from tests.support.in_process.commands import Run

RULES = """\
version: 1
exempt: [/healthz, cidr:10.0.0.0/8]
plans: {free: {api: 60/minute}, pro: {api: 600/minute}}
tenants: {plan: header:x-plan, default: free}
rules:
- {name: login, match: {path: /login, methods: [POST]}, limits: 5/minute; 20/hour, cost: 2}
- {name: admin, match: {path: /api/*, host: admin.example.com}, limits: 1/minute}
- {name: beta, match: {path: /api/*, headers: {x-beta: "*"}}, limits: 2/minute, mode: shadow}
- {name: api, match: {path: /api/*}, limits: plan:api, key: header:x-api-key}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return str(path)


def test_a_request_is_explained(run: Run, file: str) -> None:
    """The rule that applies with what is asked, and why the others don't."""
    ending = run("rules", "explain", file, "--method", "post", "--path", "/login/?next=/api")
    assert (ending.code, ending.err) == (0, "")
    assert ending.out.splitlines() == [
        "POST /login/ from 192.0.2.1",
        "rule login applies",
        "  key login:192.0.2.1",
        "  limits 5/minute; 20/hour",
        "  cost 2, mode enforce",
        "rule admin doesn't apply: its path is /api/*",
        "rule beta doesn't apply: its path is /api/*",
        "rule api doesn't apply: its path is /api/*",
    ]


def told(run: Run, file: str, *options: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run("rules", "explain", file, "--json", *options).out)
    return answer


def test_conditions_are_explained(run: Run, file: str) -> None:
    host = ("--path", "/api/x", "--header", "host:www.example.com")
    answer = told(run, file, *host, "--header", "x-api-key: k")
    assert [it["why"] for it in answer["rules"]] == [
        "its methods are POST",
        "its host is www.example.com",
        "it has no x-beta",
        None,
    ]
    assert answer["asked"] == [
        {
            "rule": "api",
            "key": "api:x-api-key=k",
            "limits": "60/minute",
            "plan": "free",
            "cost": 1,
            "mode": "enforce",
            "in_flight": None,
            "sync": False,
            "enforced": True,
        }
    ]
    (asked,) = told(run, file, *host, "--header", "x-beta:1")["asked"]
    assert (asked["rule"], asked["mode"], asked["enforced"]) == ("beta", "shadow", False)
    said = run("rules", "explain", file, *host, "--header", "x-beta:1").out
    assert "mode shadow, which refuses nothing for this key" in said
    assert "rule api doesn't apply: a rule before it applies" in said


def test_a_plan_is_told_of_trusted_proxies_only(run: Run, file: str) -> None:
    pro = ("--path", "/api/x", "--header", "host:a", "--header", "x-plan:pro")
    assert told(run, file, *pro)["asked"][0]["limits"] == "60/minute"
    (asked,) = told(run, file, *pro, "--trusted")["asked"]
    assert (asked["limits"], asked["plan"]) == ("600/minute", "pro")


def test_what_is_not_limited_is_explained(run: Run, file: str) -> None:
    def said(*options: str) -> str:
        return run("rules", "explain", file, *options).out.splitlines()[-1]

    assert said("--path", "/healthz") == "not limited: its path /healthz is exempt"
    assert said("--client", "10.1.1.1") == "not limited: its client 10.1.1.1 is exempt"
    assert run("rules", "explain", file).out.endswith("not limited: no rule applies\n")
    assert told(run, file, "--path", "/healthz")["exempt"] == "its path /healthz"
    preflight = ("--method", "OPTIONS", "--header", "origin:a", "--path", "/api")
    asks = ("--header", "access-control-request-method:GET", "--header", "host:a")
    assert said(*preflight, *asks) == "not limited: no rule applies"


def test_a_request_that_is_refused_is_explained(run: Run, file: str) -> None:
    lines = run("rules", "explain", file, "--path", "/api/x").out.splitlines()
    why = 'the request names the host "", expected one host in one line'
    assert lines[1] == f"answered 400: {why}"
    assert lines[3] == f"rule admin doesn't apply: {why}"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--path", "x"], "--path 'x': expected a path that begins with /"),
        (["--client", "x"], "--client 'x': expected an address such as 192.0.2.1"),
        (["--method", "G T"], "--method 'G T': expected the name of a header"),
        (["--header", "x"], "--header 'x': expected NAME:VALUE in ASCII"),
    ],
)
def test_wrong_options(run: Run, file: str, options: list[str], complaint: str) -> None:
    ending = run("rules", "explain", file, *options)
    assert ending.code == 2
    assert ending.complaint.startswith(f"sidegate: {complaint}")


def test_a_wrong_file_is_told(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("version = 2\nrules = []")
    ending = run("rules", "explain", str(path))
    assert (ending.code, ending.err) == (
        1,
        f"{path}:1: version: 2: expected 1, the only one there is\n",
    )


async def test_a_sidecar_says_what_is_left(run: Run, file: str) -> None:
    """And who owns the key; what was never charged is full."""
    login = ("--method", "POST", "--path", "/login")
    async with cluster("n1") as (node,):
        options = ("rules", "explain", file, *login, "--http", str(node.http))
        before = await asyncio.to_thread(run, *options)
        charge = ("check", "--http", str(node.http), "login:192.0.2.1", "5/minute; 20/hour")
        await asyncio.to_thread(run, *charge, "--cost", "2")
        after = await asyncio.to_thread(run, *options, "--json")
    assert before.out.splitlines()[5:8] == [
        "  owner n1",
        "  5 of 5 left of 5/minute",
        "  20 of 20 left of 20/hour",
    ]
    (asked,) = json.loads(after.out)["asked"]
    assert (asked["owner"], [it["remaining"] for it in asked["left"]]) == ("n1", [3, 18])
    assert 0 < asked["left"][0]["reset_after"] <= 24
