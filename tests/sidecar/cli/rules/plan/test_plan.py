"""`sidegate rules plan`: what new rules would change, by what came."""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sidecar.rules_plan.logs import common
from tests.support.in_process.commands import Run

OLD = """\
version: 1
rules:
- {name: login, match: {path: /login}, limits: 5/minute}
- {name: api, match: {path: "/api/*"}, limits: 3/minute}
"""
NEW = """\
version: 1
rules:
- {name: login, match: {path: /login}, limits: 3/minute}
- {name: api, match: {path: "/api/*"}, limits: 9/minute}
- {name: all, limits: 1/hour, mode: shadow, key: header:x-api-key}
"""
LINES = [
    *[common(at, "/login", "POST") for at in range(8)],
    *[common(10, f"/api/{at}", client="2001:db8::1", status=429) for at in range(4)],
    common(12, "/"),
    common(11, "/"),
    "\x1b[31mbad",
    common(13).replace("GET / HTTP/1.1", "-"),
]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.yaml").write_text(OLD)
    Path("new.yaml").write_text(NEW)
    Path("access.log").write_text("\n".join(LINES))


def plan(run: Run, *options: str, log: str = "access.log") -> Any:
    return run("rules", "plan", "old.yaml", "new.yaml", log, *options)


def told(run: Run, *options: str, log: str = "access.log") -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(plan(run, *options, "--json", log=log).out)
    return answer


def test_what_would_change_is_told(run: Run) -> None:
    """By rule, by key, and in a sentence; nothing in it that a terminal would obey."""
    ending = plan(run)
    assert (ending.code, ending.err) == (0, "")
    assert [" ".join(line.split()) for line in ending.out.splitlines()] == [
        (
            "access.log (common): 16 lines, 14 requests, 14 of them limited;"
            " 2026-09-21T14:14:00Z to 2026-09-21T14:14:12Z (12 s)"
        ),
        ("RULE REQUESTS DENIED BY OLD DENIED BY NEW NEWLY DENIED NEWLY ALLOWED SHADOWED BY NEW"),
        "login 8 3 5 2 0",
        "api 4 1 0 0 1",
        "all 2 0 0 0 0 1",
        "KEY NEWLY DENIED",
        "login:192.0.2.1 2",
        "note: lines that can't be read: 1",
        "note: lines of connections without a request: 1",
        "note: requests that stand behind later ones, by up to 1 s, and count then: 1",
        "note: requests answered 429, so clients may have come more or less often: 4",
        (
            "note: line 15: '\\x1b[31mbad': expected CLIENT - USER [TIME]"
            ' "METHOD PATH HTTP/1.1" STATUS BYTES'
        ),
        "note: no x-api-key in the log: all counts by the client's address",
        "2 of 14 requests (14.29 %) would newly be denied, 1 newly allowed",
    ]


def test_the_same_for_scripts(run: Run) -> None:
    said = told(run)
    assert (said["format"], said["lines"], said["requests"]) == ("common", 16, 14)
    assert (said["newly_denied"], said["newly_allowed"], said["denied_in_log"]) == (2, 1, 4)
    assert said["rules"][0] == {
        "name": "login",
        "requests": 8,
        "denied_by_old": 3,
        "denied_by_new": 5,
        "newly_denied": 2,
        "newly_allowed": 0,
        "shadowed_by_old": 0,
        "shadowed_by_new": 0,
    }
    assert said["keys"] == [{"key": "login:192.0.2.1", "newly_denied": 2, "error": 0}]
    assert (said["old"]["denied"], said["new"]["denied"], said["new"]["shadowed"]) == (4, 5, 1)
    assert (said["from"], said["seconds"], said["late"]) == ("2026-09-21T14:14:00Z", 12, 1)
    assert [it["line"] for it in said["bad"]] == [15]
    assert said["summary"].startswith("2 of 14 requests")


@pytest.mark.parametrize(
    ("allowed", "code", "end"),
    [
        ("2", 0, "within the 2 that may be"),
        ("1", 1, "more than the 1 that may be"),
        ("0", 1, "more than the 0 that may be"),
        ("14.3 %", 0, "within the 14.3 % that may be"),
        ("14.2%", 1, "more than the 14.2% that may be"),
        ("100 %", 0, "within the 100 % that may be"),
    ],
)
def test_the_exit_code_tells_too_many(run: Run, allowed: str, code: int, end: str) -> None:
    ending = plan(run, "--max-newly-denied", allowed)
    assert (ending.code, ending.out.splitlines()[-1].endswith(f": {end}")) == (code, True)
    assert told(run, "--max-newly-denied", allowed)["too_many"] is bool(code)


def test_a_log_that_is_compressed_or_comes_by_a_pipe(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = told(run)
    Path("access.log.1").write_bytes(gzip.compress(Path("access.log").read_bytes()))
    assert told(run, log="access.log.1") == {**whole, "log": "access.log.1"}
    for name in ("access.log", "access.log.1"):
        with Path(name).open() as opened:
            monkeypatch.setattr(sys, "stdin", opened)
            assert told(run, log="-") == {**whole, "log": "standard input"}


def test_keys_are_shown_as_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(run, "--report-keys", "masked")["keys"][0]["key"] == "login:192…"
    first, second = (told(run, "--report-keys", "hashed")["keys"][0]["key"] for _ in range(2))
    assert len(first) == len("login:") + 16
    assert first != second
    assert told(run, "--top", "0")["keys"] == []
    monkeypatch.setenv("SIDEGATE_REPORT_KEYS", "masked")
    assert told(run)["keys"][0]["key"] == "login:192…"


def test_json_of_any_names(run: Run) -> None:
    lines = [{"when": 1_790_000_000, "ip": "192.0.2.1", "verb": "GET", "url": "/login"}] * 5
    Path("app.log").write_text("\n".join(map(json.dumps, lines)))
    names = ["time=when", "client=ip", "method=verb", "path=url", "header:X-Api-Key=verb"]
    options = [word for name in names for word in ("--field", name)]
    said = told(run, *options, log="app.log")
    assert (said["format"], said["newly_denied"], said["unknown"]) == ("json", 2, [])
    ending = plan(run, log="app.log")
    assert ending.code == 2
    assert "app.log: 5 of 5 lines can't be read as json; line 1: no method" in ending.complaint


def test_nothing_is_shown_that_a_terminal_would_obey(run: Run) -> None:
    """Neither of names that are told nor of keys, whatever a client has written."""
    line = {"ts": 1_790_000_000, "client": "\x1b[1m", "method": "GET", "\x1b[31m": "/login"}
    lines = [line] * 5 + [{"ts": 5, "client": "a", "method": "GET"}]
    Path("app.log").write_text("\n".join(map(json.dumps, lines)))
    ending = plan(run, "--field", "path=\x1b[31m", log="app.log")
    assert "login:sha256=" in ending.out
    assert "line 6: no path: expected one of \\x1b[31m" in ending.out
    assert "\x1b" not in ending.out


def test_trusted_fields_name_the_plan(run: Run) -> None:
    """And X-Forwarded-For the client; with --host a rule may go by the host."""
    Path("new.yaml").write_text(
        "version: 1\nplans: {free: {a: 0/day}, pro: {a: 5/day}}\n"
        "tenants: {plan: header:x-plan, default: free}\n"
        "rules: [{name: login, match: {host: a.example}, limits: plan:a}]"
    )
    fields = {"ts": 5, "client": "10.0.0.1", "method": "GET", "path": "/"}
    headers = {"X-Plan": "pro", "X-Forwarded-For": "192.0.2.9"}
    Path("app.log").write_text(json.dumps({**fields, "headers": headers}) + "\n")
    assert told(run, log="app.log")["new"]["malformed"] == 1
    assert told(run, "--host", "a.example", log="app.log")["keys"][0]["key"] == "login:10.0.0.1"
    assert told(run, "--host", "a.example", "--trusted", log="app.log")["newly_denied"] == 0


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no lines, expected an access log"),
        (b"\n\n", "no lines, expected an access log"),
        (b"garbage\n" * 9, "no format that is known: expected one of common, combined, json"),
        (b"\0" * 100_000, "no format that is known"),
        (common().encode() + b"\n1\n2\n", "2 of 3 lines can't be read as common; line 2: '1'"),
        (common().replace("GET / HTTP/1.1", "-").encode(), "no request in any of its lines"),
        (b"\x1f\x8bgarbage", "can't be read after line 0: Compressed file ended"),
        (gzip.compress(common().encode() * 999)[:-9], "can't be read after line 0: Compressed"),
    ],
)
def test_a_log_that_is_none(run: Run, content: bytes, complaint: str) -> None:
    """It says what was expected, and never counts as fine."""
    Path("access.log").write_bytes(content)
    ending = plan(run, "--max-newly-denied", "100 %")
    assert ending.code == 2
    assert ending.complaint.startswith(f"sidegate: access.log: {complaint}")


def test_a_gigantic_line_is_bad(run: Run) -> None:
    """And what follows is read."""
    Path("access.log").write_bytes(b"\n".join([*[common().encode()] * 2, b"x" * 10**6, b""]) * 2)
    said = told(run)
    assert (said["requests"], said["bad_lines"]) == (4, 2)
    assert said["bad"][0] == {"line": 3, "why": "more than 65,536 bytes"}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--format", "xml"], "--format 'xml': expected one of common, combined, json"),
        (["--field", "x=y"], "--field 'x=y': expected one of time, client, method, path, "),
        (["--field", "time"], "--field 'time': expected what the log calls it behind ="),
        (["--field", "header:a b=c"], "--field 'a b': expected the name of a header"),
        (["--host", "a b"], "--host 'a b': expected a host such as api.example.com"),
        (["--top", "-1"], "--top '-1': expected a whole number from 0 to 1,000"),
        (["--report-keys", "no"], "--report-keys (or SIDEGATE_REPORT_KEYS) 'no': expected one of"),
        (["--max-newly-denied", "x"], "--max-newly-denied 'x': expected a number of requests"),
        (["--max-newly-denied", "101 %"], "--max-newly-denied '101 %': expected a number"),
    ],
)
def test_wrong_options(run: Run, options: list[str], complaint: str) -> None:
    ending = plan(run, *options)
    assert ending.code == 2
    assert ending.complaint.startswith(f"sidegate: {complaint}")


def test_files_that_cant_be_used(run: Run) -> None:
    """The exit code is 2, so that a script tells them from too many that are denied."""
    assert plan(run, log="none.log").complaint == "sidegate: none.log: no such file or directory\n"
    assert plan(run, log=".").complaint == "sidegate: .: is a directory\n"
    Path("new.yaml").write_text("version: 2\nrules: []")
    ending = plan(run)
    assert (ending.code, ending.out) == (2, "")
    assert ending.err == "new.yaml:1: version: 2: expected 1, the only one there is\n"


def test_a_terminal_has_a_progress_bar(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr, by the bytes that were read; nothing else is there."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    Path("access.log").write_text("".join(f"{common(at % 60)}\n" for at in range(5_000)))
    ending = plan(run, "--json")
    assert json.loads(ending.out)["requests"] == 5_000
    assert "access.log" in ending.err
    assert "100%" in ending.err
