"""LogLines: whatever stands in a log, lines are read or counted, and nothing is raised."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.http.request.proxies import NO_PROXIES, Proxies
from sidegate.ruleset.ruleset import read_rules
from sidegate_sidecar.rules_plan.json_lines import FieldNames
from sidegate_sidecar.rules_plan.log_clock import LogClock
from sidegate_sidecar.rules_plan.log_lines import (
    MAX_LINE,
    LogFormat,
    LogLines,
    format_of,
    reader_of,
)
from sidegate_sidecar.rules_plan.replay import LogReplay
from sidegate_sidecar.rules_plan.unseen_fields import UnseenFields
from tests.sidecar.rules_plan.logs import CLIENT, common

RULES = read_rules(
    {
        "version": 1,
        "exempt": ["/healthz", "cidr:10.0.0.0/8"],
        "plans": {"free": {"api": "60/minute"}},
        "tenants": {"id": "header:x-tenant", "plan": "header:x-plan", "default": "free"},
        "rules": [
            {"name": "host", "match": {"host": "*.example"}, "limits": "1/minute", "key": "path"},
            {"name": "agent", "match": {"headers": {"user-agent": "*bot*"}}, "limits": "1/hour"},
            {"name": "key", "match": {"path": "/a*"}, "limits": "plan:api", "key": "header:x-k"},
            {"name": "user", "limits": "3/day", "key": ["tenant", "basic", "bearer"], "cost": 2},
        ],
    }
)
COMMON = common().encode()
JSON = json.dumps({"ts": 5, "client": CLIENT, "method": "GET", "path": "/"}).encode()


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], None),
        ([b"garbage\n", b"\0\xff"], None),
        ([b"\n", COMMON], LogFormat.COMMON),
        ([COMMON + b' "-" "-"\n'], LogFormat.COMBINED),
        ([COMMON + b' "-" "curl" "192.0.2.9"\n'], LogFormat.COMBINED),
        ([b"garbage", JSON], LogFormat.JSON),
        ([b'192.0.2.1 - - [21/Sep/2026:14:13:20 +0000] "-" 400 0 "-" "-"'], LogFormat.COMBINED),
    ],
)
def test_the_format_is_told_by_the_first_lines(lines: list[bytes], found: object) -> None:
    assert format_of(lines) == found


def log_lines(log_format: LogFormat, proxies: Proxies = NO_PROXIES) -> LogLines:
    return LogLines(reader_of(log_format, proxies, FieldNames()))


def test_lines_are_counted() -> None:
    """Bad ones too, of which the first three are shown with their number and why."""
    lines = log_lines(LogFormat.COMMON)
    given_lines = [COMMON + b"\r\n", b"\n", b"bad\n", b"x" * (MAX_LINE + 1), COMMON, b"a", b"b"]
    no_request = COMMON.replace(b"GET / HTTP/1.1", b"-")
    found = list(lines.read([*given_lines, no_request]))
    assert (len(found), lines.requests, lines.count, lines.bad) == (2, 2, 7, 4)
    assert lines.without_request == 1
    assert [it.number for it in lines.shown] == [3, 4, 6]
    assert lines.shown[0].why.startswith("'bad': expected CLIENT - USER [TIME]")
    assert lines.shown[1].why == "more than 65,536 bytes"


def replay_all(log_format: LogFormat, given_lines: Iterable[bytes]) -> None:
    """Do all that the command does with lines."""
    for proxies in (NO_PROXIES, Proxies(hops=1)):
        lines, clock = log_lines(log_format, proxies), LogClock()
        replay, unseen = LogReplay(RULES, RULES, 64 << 10), UnseenFields([RULES], is_trusted=True)
        for request, now in clock.timed(lines.read(given_lines)):
            unseen.look(request)
            replay.take(request, now)
            request.names()
        unseen.told()
        assert lines.bad + lines.requests + lines.without_request == lines.count


PIECES = st.sampled_from(
    [CLIENT, "-", "::1", "[", "]", '"', "\\", "\\x", " ", "GET", "/a/../b", "http://[x/", "%",
     "%ff", "HTTP/1.1", "21/Sep/2026:14:13:20 +0000", "200", "\0", "é", "\U0001f600"]
)  # fmt: skip


@given(st.lists(st.binary(max_size=200) | st.lists(PIECES).map(lambda it: "".join(it).encode())))
def test_no_text_raises(given_lines: list[bytes]) -> None:
    replay_all(LogFormat.COMBINED, given_lines)


FIELD = st.text(max_size=30) | PIECES
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | FIELD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELD, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.fixed_dictionaries(
    {"ts": st.integers(0, 10**10) | VALUES, "client": FIELD, "method": st.just("GET") | FIELD},
    optional={"path": FIELD, "host": VALUES, "headers": VALUES, "status": VALUES, "user": VALUES},
)


@given(st.lists(st.binary(max_size=50) | OBJECTS.map(lambda it: json.dumps(it).encode())))
def test_no_json_raises(given_lines: list[bytes]) -> None:
    replay_all(LogFormat.JSON, given_lines)


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_request_raises(target: str, agent: str) -> None:
    """Of lines that are right but for what a client writes."""
    plain = json.dumps(
        {"ts": 5, "client": CLIENT, "method": "GET", "path": f"/{target}", "host": agent,
         "headers": {"User-Agent": agent, "x-k": target, "x-tenant": agent, "host": target}}
    )  # fmt: skip
    replay_all(LogFormat.JSON, [plain.encode("utf-8", "surrogatepass")])
