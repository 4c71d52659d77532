"""What the options of `sidegate load` order: texts are read, and the first wrong one is named."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sidegate_sidecar.cli.options import readers
from sidegate_sidecar.cli.options.names import complaint
from sidegate_sidecar.config import OptionError
from sidegate_sidecar.errors import BAD_INPUT, Failure
from sidegate_sidecar.loadtest.plan.arrivals import Arrivals
from sidegate_sidecar.loadtest.plan.feasibility import require_prospects
from sidegate_sidecar.loadtest.plan.keys import Pick
from sidegate_sidecar.loadtest.plan.library import load_scenario
from sidegate_sidecar.loadtest.plan.scenario import (
    MAX_KEYS,
    MAX_REQUESTS,
    Expect,
    Scenario,
    ScenarioError,
    Stream,
    require_playable,
)
from sidegate_sidecar.loadtest.plan.service import read_service
from sidegate_sidecar.loadtest.plan.settings import Order
from sidegate_sidecar.loadtest.show.files import require_places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sidegate_sidecar.loadtest.plan.service import Service

RATE: Final = 50.0  # requests a second
SECONDS: Final = 10.0
MAX_HEADERS: Final = 50
MAX_CONNECTIONS: Final = 10_000  # under way: a third of the ports that one address has


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The arguments as texts, "" for those that aren't given."""

    url: str
    scenario: str
    rate: str
    seconds: str
    keys: str
    key_header: str
    pick: str
    limit: str
    expect: str
    arrivals: str
    headers: Sequence[str]
    timeout: str
    max_in_flight: str
    key_prefix: str
    seed: str
    crashes: str
    tolerate_errors: str
    json: str
    html: str


def order_of(given: Given) -> Order:
    """Return what they order; Failure names the first that is wrong."""
    try:
        order = _order(given)
    except OptionError as error:  # none of these is in the environment
        text = complaint(error.option, error.value, error.why, has_variable=False)
        raise Failure(BAD_INPUT, text) from None
    _require_prospects(order, given)
    return order


def _order(given: Given) -> Order:
    service, scenario = _service(given), _scenario(given)
    require_places(given.json, given.html)
    seed, in_flight = given.seed, given.max_in_flight
    return Order(
        url=service.url,
        scenario=scenario,
        name=given.scenario,
        key_prefix=_key_prefix(given.key_prefix),
        seed=readers.whole("seed", seed, 0, 2**63) if seed else secrets.randbelow(10**6),
        headers=_headers(given.headers, service, scenario.key_header),
        timeout=readers.seconds("timeout", given.timeout),
        max_in_flight=readers.whole("max-in-flight", in_flight, 1, MAX_CONNECTIONS),
        tolerated=readers.whole("tolerate-errors", given.tolerate_errors, 0, MAX_REQUESTS),
        crashes=given.crashes,
        json=given.json,
        html=given.html,
    )


def _service(given: Given) -> Service:
    service = read_service(given.url)
    if given.scenario and service.query:
        why = "expected none with a query, since the paths of a scenario come after it"
        raise Failure(BAD_INPUT, f"URL {service.url!r}: {why}")
    return service


def _scenario(given: Given) -> Scenario:
    rate = readers.number("rate", given.rate) if given.rate else None
    seconds = readers.seconds("seconds", given.seconds) if given.seconds else None
    if given.scenario:
        _require_absent(given)
        scenario = _ready_made(given.scenario).scaled(rate, seconds)
    else:
        scenario = _one_stream(given, rate or RATE, seconds or SECONDS)
    try:
        return require_playable(scenario)
    except ScenarioError as error:  # of these two: all else was checked before
        raise Failure(BAD_INPUT, f"{_named(given, 'rate', 'seconds')}: {error}") from None


def _ready_made(name: str) -> Scenario:
    try:
        return load_scenario(name)
    except ScenarioError as error:
        raise OptionError("scenario", name, str(error)) from None


def _require_prospects(order: Order, given: Given) -> None:
    try:
        require_prospects(order.scenario, order.seed)
    except ScenarioError as error:
        named = _named(given, "scenario", "rate", "seconds", "expect")
        raise Failure(BAD_INPUT, f"{named}: {error}") from None


def _named(given: Given, *options: str) -> str:
    """Return those of the options that are given, with their texts."""
    named = [(name, getattr(given, name)) for name in options]
    return " ".join(f"--{name} {text!r}" for name, text in named if text) or "--rate, --seconds"


def _require_absent(given: Given) -> None:
    for option in ("keys", "key_header", "pick", "limit", "expect", "arrivals"):
        text = getattr(given, option)
        if text:
            raise OptionError(option.replace("_", "-"), text, "a scenario has this for each stream")


def _one_stream(given: Given, rate: float, seconds: float) -> Scenario:
    keys = readers.whole("keys", given.keys, 1, MAX_KEYS) if given.keys else 1
    if keys > 1 and not given.key_header:
        raise OptionError("keys", given.keys, "expected --key-header too, where they go")
    expect = readers.choice("expect", given.expect, Expect) if given.expect else None
    if expect in {Expect.WITHIN, Expect.LIMITED} and not given.limit:
        raise OptionError("expect", given.expect, "expected --limit too")
    stream = Stream(
        name="requests",
        rate=rate,
        keys=keys,
        pick=readers.choice("pick", given.pick or Pick.TURN, Pick),
        limit=readers.limits("limit", given.limit) if given.limit else "",
        expect=expect,
    )
    arrivals = readers.choice("arrivals", given.arrivals or Arrivals.EVEN, Arrivals)
    header = readers.header_name("key-header", given.key_header) if given.key_header else ""
    return Scenario(seconds=seconds, streams=[stream], key_header=header, arrivals=arrivals)


def _headers(texts: Iterable[str], service: Service, key_header: str) -> dict[str, str]:
    taken = {key_header.lower(): "keys go into it"} if key_header else {}
    if not service.authorization:
        return _free_headers(texts, taken)
    if "authorization" in taken:
        raise OptionError("key-header", key_header, "expected another name, the URL has a user")
    taken["authorization"] = "the URL has a user"
    return {**_free_headers(texts, taken), "Authorization": service.authorization}


def _free_headers(texts: Iterable[str], taken: Mapping[str, str]) -> dict[str, str]:
    """Return headers by name; `taken` are names in lower case that are in use, and for what."""
    headers: list[tuple[str, str]] = []
    for text in texts:
        name, value = readers.header("header", text)
        if name.lower() in taken:
            raise OptionError("header", name, f"expected another name, {taken[name.lower()]}")
        headers.append((name, value))
    if len(headers) > MAX_HEADERS:
        raise OptionError("header", f"{len(headers)} of them", f"expected at most {MAX_HEADERS}")
    return dict(headers)


def _key_prefix(text: str) -> str:
    if not text:
        return f"load-{secrets.token_hex(3)}"
    if not re.fullmatch(r"[!-~]{1,100}", text):
        why = "expected 1 to 100 printable ASCII characters, no blanks"
        raise OptionError("key-prefix", text, why)
    return text
