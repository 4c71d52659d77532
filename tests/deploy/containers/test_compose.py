"""docker compose: the load test passes its verdict, also under chaos, and a roll loses no counter.

All of it on a real engine: our compose file as it is, but for Grafana, which has no stand-in.
"""

import json
import re
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from runpy import run_path
from typing import Any, Final

import httpx2
import pytest
import yaml

from tests.deploy.containers.compose import PAIRS, SERVICES, Compose
from tests.support.processes.services import ROOT, until

LIMIT: Final = 10  # of /limited/hourly, an hour
SPENT: Final = 5
CHAOS: Final = "--profile=chaos"
RUN_LOAD: Final = ("--profile=load", "run", "--rm", "load")


@pytest.fixture(scope="module")
def stack(compose: Compose) -> Compose:
    """Give the services, up."""
    compose.do("up", "--detach", "--no-build", *SERVICES)
    return compose


@pytest.fixture
def chaos(stack: Compose) -> Generator[None]:
    """Have sidecars killed and started again, in turn."""
    stack.do(CHAOS, "up", "--detach", "--no-build", "--no-deps", "chaos")
    yield
    stack.do(CHAOS, "stop", "chaos")
    stack.do("up", "--detach", "--no-build", *SERVICES)  # the one that was down just then


def report(stack: Compose) -> dict[str, Any]:
    """Return the report of the last load test, from where a user finds it."""
    url = stack.url("/report/load.json")
    told: dict[str, Any] = httpx2.get(url, trust_env=False).raise_for_status().json()
    return told


def broken(told: dict[str, Any]) -> list[str]:
    """Return the promises that were not kept."""
    return [f"{it['text']}: {it['seen']}" for it in told["promises"] if not it["kept"]]


def test_the_load_test_passes(stack: Compose) -> None:
    """Exit code 0, and nodes decided everything; the page for people is there too."""
    done = stack.ask(*RUN_LOAD)
    assert done.code == 0, done.said
    told = report(stack)
    assert (told["passed"], broken(told), told["crashes"]) == (True, [], [])
    assert told["errors"] == {}
    decided: Counter[str] = Counter()
    for stream in told["streams"]:
        decided.update(stream["sources"])
    assert decided["owner"] > decided["remembered"]
    # A backup is asked when an owner is starved of CPU here, and where both are a share is given
    # (the verdict bounds how many); none: what isn't limited.
    assert not decided.keys() - {"owner", "backup", "local", "remembered", "none"}
    page = httpx2.get(stack.url("/report/load.html"), trust_env=False)
    assert page.headers["content-type"] == "text/html"
    assert "<svg" in page.text


@pytest.mark.usefixtures("chaos")
def test_the_load_test_passes_under_chaos(stack: Compose) -> None:
    """The same while sidecars are killed: what that may cost is allowed for, and no more."""
    done = stack.ask(*RUN_LOAD)
    assert done.code == 0, done.said
    told = report(stack)
    assert (told["passed"], broken(told)) == (True, [])
    assert len({crash["node"] for crash in told["crashes"]}) > 1, told["crashes"]
    assert told["errors"] == {}
    by_policy = sum(stream["by_policy"] for stream in told["streams"])
    assert by_policy < 0.3 * sum(stream["requests"] for stream in told["streams"])


def test_a_broken_promise_is_an_exit_code(stack: Compose) -> None:
    """A service that admits more than it should fails the test: nobody overlooks a 1."""
    lax = ("--limit=10/minute", "--keys=1", "--key-header=x-api-key", "--seconds=3", "--rate=20")
    url = "http://balancer:8080/limited/hot"
    done = stack.ask("--profile=load", "run", "--rm", "load", "load", url, *lax)
    assert done.code == 1, done.said
    assert re.search(r"BROKEN +.*admits no more than the limit", done.said), done.said


def test_a_rolling_replacement_loses_no_counter(stack: Compose) -> None:
    """Half of 10/hour spent, all pairs replaced one by one: exactly the other half is admitted."""
    key = f"rolled-{stack.image}"
    assert ask(stack, key, SPENT) == {"200 owner": SPENT}
    before = containers(stack)
    for pair in PAIRS:
        replace(stack, pair)
        assert ask(stack, f"{key}-{pair}", 1) == {"200 owner": 1}  # meanwhile, of another key
    assert not before & containers(stack)
    left = LIMIT - SPENT
    assert ask(stack, key, left) == {"200 owner": left}
    assert {answer[:3] for answer in ask(stack, key, 3)} == {"429"}


def replace(stack: Compose, pair: int) -> None:
    """Replace an app and its sidecar as running/compose.md has it: the app ends first."""
    app, sidecar = f"app-{pair}", f"sidecar-{pair}"
    stack.do("stop", app)
    stack.do("stop", sidecar)
    stack.do("up", "--detach", "--no-build", "--no-deps", "--force-recreate", sidecar)
    stack.do("up", "--detach", "--no-build", "--force-recreate", "--no-deps", app)
    until(
        lambda: is_healthy(stack, sidecar) and is_healthy(stack, app),
        lambda: stack.do("logs", sidecar, app),
    )


def is_healthy(stack: Compose, service: str) -> bool:
    """Has the health check of a service's container passed?"""
    (container,) = stack.do("ps", "--quiet", service).split()
    look = ("container", "inspect", "--format={{.State.Health.Status}}", container)
    return stack.engine.docker(*look) == "healthy"


def containers(stack: Compose) -> set[str]:
    """Return the ids of the containers of all pairs."""
    return {*stack.do("ps", "--quiet", *SERVICES[: 2 * len(PAIRS)]).split()}


def ask(stack: Compose, key: str, times: int) -> Counter[str]:
    """Send requests by one key; count status codes and who decided."""
    url, headers = stack.url("/limited/hourly"), {"x-api-key": key}
    with httpx2.Client(trust_env=False, headers=headers, timeout=10) as client:
        answers = [client.get(url) for _ in range(times)]
    return Counter(
        f"{it.status_code} {it.headers.get('sidegate-source', 'owner')}" for it in answers
    )


def test_prometheus_sees_all_sidecars(stack: Compose) -> None:
    """All three are scraped, hold one ring, and the chart's alerts are loaded."""
    until(
        lambda: instant(stack, "sum(up) == 3 and min(sidegate_ring_nodes) == 3") != [],
        lambda: json.dumps(instant(stack, "up or sidegate_ring_nodes")),
    )
    groups = prometheus(stack, "/api/v1/rules")["groups"]
    assert len(groups[0]["rules"]) > 5
    assert {rule["health"] for rule in groups[0]["rules"]} <= {"ok", "unknown"}


def instant(stack: Compose, query: str) -> list[Any]:
    """Return what Prometheus answers to a query."""
    return list(prometheus(stack, "/api/v1/query", query=query)["result"])


def prometheus(stack: Compose, path: str, **query: str) -> dict[str, Any]:
    """Return what Prometheus answers."""
    url = stack.url(path, "SIDEGATE_PROMETHEUS_PORT")
    answer = httpx2.get(url, params=query, trust_env=False).raise_for_status().json()
    assert answer["status"] == "success", answer
    data: dict[str, Any] = answer["data"]
    return data


def test_one_service_builds_the_image() -> None:
    """Several builds of one name at a time would get in each other's way."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert [name for name, service in services.items() if "build" in service] == ["sidecar-1"]


def test_sidecars_that_start_together_make_up_the_same_secrets(tmp_path: Path) -> None:
    """Who is first makes them up, long and for its user's eyes only; the others take them."""
    make_up = run_path(str(ROOT / "compose" / "serve.py"))["make_up"]
    files = [tmp_path / name for name in ("secret", "node-secret")]

    def start(_: int) -> list[str]:
        for file in files:
            make_up(file)
        return [file.read_text() for file in files]

    with ThreadPoolExecutor(8) as together:
        (secrets,) = {tuple(read) for read in together.map(start, range(40))}
    assert len({*secrets}) == 2
    assert min(map(len, secrets)) > 40
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_every_file_that_is_mounted_is_there() -> None:
    """Docker would make a folder of what is missing."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    volumes: list[str] = [volume for it in services for volume in it.get("volumes", ())]
    files = {volume.split(":")[0] for volume in volumes if volume.startswith("./")}
    assert len(files) >= 7, volumes
    assert [file for file in files if not (ROOT / file).is_file()] == []
