"""What the options of `headgate load` order: texts are read, and the first wrong one is named."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from headgate.errors import LimitError
from headgate.limits import parse_limits
from headgate_sidecar.failure import BAD_INPUT, Failure
from headgate_sidecar.load.arrivals import Arrivals
from headgate_sidecar.load.files import require_place
from headgate_sidecar.load.library import load_scenario
from headgate_sidecar.load.order import Order
from headgate_sidecar.load.pick import Pick
from headgate_sidecar.load.scenario import (
    MOST_KEYS,
    MOST_REQUESTS,
    Expect,
    Scenario,
    ScenarioError,
    Stream,
    require_playable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Value = TypeVar("Value")

RATE: Final = 50.0  # requests a second
SECONDS: Final = 10.0
MOST_CONNECTIONS: Final = 10_000  # under way: a third of the ports that one address has
MOST_HEADERS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The options as texts, "" for those that aren't given."""

    scenario: str
    rate: str
    seconds: str
    keys: str
    key_header: str
    pick: str
    limit: str
    expect: str
    arrivals: str


def order_of(  # an argument for each option
    url: str,
    given: Given,
    *,
    headers: Iterable[str],
    timeout: str,
    most_in_flight: str,
    key_prefix: str,
    seed: str,
    crashes: str,
    tolerate: str,
    json: str,
    html: str,
) -> Order:
    """Return what the options order; Failure names the first that is wrong, and its value."""
    return Order(
        url=_url(url),
        scenario=_scenario(given),
        name=given.scenario,
        key_prefix=_key_prefix(key_prefix),
        seed=_whole("seed", seed, 0, 2**63) if seed else secrets.randbelow(10**6),
        headers=_headers(headers),
        timeout=_number("timeout", timeout),
        most_in_flight=_whole("most-in-flight", most_in_flight, 1, MOST_CONNECTIONS),
        tolerated=_whole("tolerate-errors", tolerate, 0, MOST_REQUESTS),
        crashes=crashes,
        json=require_place("json", json) if json else "",
        html=require_place("html", html) if html else "",
    )


def _scenario(given: Given) -> Scenario:
    rate = _number("rate", given.rate) if given.rate else None
    seconds = _number("seconds", given.seconds) if given.seconds else None
    if given.scenario:
        _require_absent(given)
        scenario = _try("scenario", given.scenario, lambda: load_scenario(given.scenario))
        scenario = scenario.scaled(rate, seconds)
    else:
        scenario = _one_stream(given, rate or RATE, seconds or SECONDS)
    try:
        return require_playable(scenario)
    except ScenarioError as error:  # of these two: all else was checked before
        raise Failure(BAD_INPUT, f"{_sized(given)}: {error}") from None


def _sized(given: Given) -> str:
    named = [(name, getattr(given, name)) for name in ("rate", "seconds")]
    return " ".join(f"--{name} {text!r}" for name, text in named if text) or "--rate, --seconds"


def _require_absent(given: Given) -> None:
    for option in ("keys", "key_header", "pick", "limit", "expect", "arrivals"):
        text = getattr(given, option)
        if text:
            raise _wrong(option.replace("_", "-"), text, "a scenario has this for each stream")


def _one_stream(given: Given, rate: float, seconds: float) -> Scenario:
    keys = _whole("keys", given.keys, 1, MOST_KEYS) if given.keys else 1
    if keys > 1 and not given.key_header:
        raise _wrong("keys", given.keys, "expected --key-header too, where they go")
    expect = _choice("expect", given.expect, Expect) if given.expect else None
    if expect in {Expect.WITHIN, Expect.LIMITED} and not given.limit:
        raise _wrong("expect", given.expect, "expected --limit too")
    stream = Stream(
        name="requests",
        rate=rate,
        keys=keys,
        pick=_choice("pick", given.pick, Pick) if given.pick else Pick.TURN,
        limit=_limit(given.limit),
        expect=expect,
    )
    arrivals = _choice("arrivals", given.arrivals, Arrivals) if given.arrivals else Arrivals.EVEN
    header = _field("key-header", given.key_header) if given.key_header else ""
    return Scenario(seconds=seconds, streams=[stream], key_header=header, arrivals=arrivals)


# --- texts


def _wrong(option: str, text: str, why: str) -> Failure:
    return Failure(BAD_INPUT, f"--{option} {text!r}: {why}")


def _try(option: str, text: str, read: Callable[[], Value]) -> Value:
    try:
        return read()
    except LimitError as error:
        raise _wrong(option, text, error.why) from None
    except ScenarioError as error:
        raise _wrong(option, text, str(error)) from None


def _number(option: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < inf:
        raise _wrong(option, text, "expected a number above 0")
    return number


def _whole(option: str, text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,20}", text) or not least <= int(text) <= most:
        raise _wrong(option, text, f"expected a whole number from {least:,} to {most:,}")
    return int(text)


def _choice(option: str, text: str, kind: Callable[[str], Value]) -> Value:
    try:
        return kind(text)
    except ValueError:
        known = ", ".join({"pick": Pick, "expect": Expect, "arrivals": Arrivals}[option])
        raise _wrong(option, text, f"expected one of {known}") from None


def _limit(text: str) -> str:
    return str(_try("limit", text, lambda: parse_limits(text))) if text else ""


def _field(option: str, name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", name):
        raise _wrong(option, name, "expected the name of a header, such as x-api-key")
    return name


def _headers(texts: Iterable[str]) -> dict[str, str]:
    pairs = [_header(text) for text in texts]
    if len(pairs) > MOST_HEADERS:
        raise _wrong("header", f"{len(pairs)} of them", f"expected at most {MOST_HEADERS}")
    return dict(pairs)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not re.fullmatch(r"[\t -~]*", value):
        raise _wrong("header", text, 'expected NAME:VALUE in ASCII, such as "accept: text/html"')
    return _field("header", name.strip()), value.strip()


def _key_prefix(text: str) -> str:
    if not text:
        return f"load-{secrets.token_hex(3)}"
    if not re.fullmatch(r"[!-~]{1,100}", text):
        raise _wrong("key-prefix", text, "expected 1 to 100 printable ASCII characters, no blanks")
    return text


def _url(text: str) -> str:
    expected = "expected an address such as http://localhost:8080/items"
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"[!-~]+", text) or "#" in text:
        raise Failure(BAD_INPUT, f"URL {text!r}: {expected}")
    return text
