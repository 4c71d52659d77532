"""How a plan looks: what was read, a table of rules, one of keys, what to mind, and a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sidegate_sidecar.cli.printing import console_of, count_text, duration, print_json, table_of
from sidegate_sidecar.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEADS: Final = (
    "RULE",
    "REQUESTS",
    "DENIED BY OLD",
    "DENIED BY NEW",
    "NEWLY DENIED",
    "NEWLY ALLOWED",
    "SHADOWED BY OLD",
    "SHADOWED BY NEW",
)
_COUNTS: Final = (
    "requests",
    "denied_by_old",
    "denied_by_new",
    "newly_denied",
    "newly_allowed",
)
_SHADOWED: Final = ("shadowed_by_old", "shadowed_by_new")  # left out where there are none
_KEY_HEADS: Final = ("KEY", "NEWLY DENIED", "OFF BY")


def print_plan(said: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what would change."""
    if as_json:
        print_json(dict(said))
        return
    console = console_of()
    console.print(_heading(said), soft_wrap=True)
    if rows := [_row(rule) for rule in said["rules"]]:
        console.print(table_of(console, _HEADS, rows, right=", ".join(_HEADS[1:])))
    if keys := [_key(it) for it in said["keys"]]:
        console.print(table_of(console, _KEY_HEADS, keys, right=", ".join(_KEY_HEADS[1:])))
    for note in _notes(said):
        console.print(f"note: {visible(note)}", soft_wrap=True)
    console.print(said["summary"], soft_wrap=True)


def _heading(said: Mapping[str, Any]) -> str:
    return (
        f"{visible(said['log'])} ({said['format']}): {count_text(said['lines'], 'line')},"
        f" {count_text(said['requests'], 'request')}, {said['limited']:,} of them limited;"
        f" {said['from']} to {said['until']} ({duration(said['seconds'])})"
    )


def _row(rule: Mapping[str, Any]) -> tuple[str, ...]:
    counts = [f"{rule[name]:,}" for name in _COUNTS]
    shadowed = [f"{rule[name]:,}" if rule[name] else "" for name in _SHADOWED]
    return (rule["name"], *counts, *shadowed)


def _key(key: Mapping[str, Any]) -> tuple[str, ...]:
    return key["key"], f"{key['newly_denied']:,}", f"{key['error']:,}" if key["error"] else ""


def _notes(said: Mapping[str, Any]) -> Iterator[str]:
    by = duration(said["latest_seconds"])
    counted = {
        "lines that can't be read": said["bad_lines"],
        "lines of connections without a request": said["without_request"],
        f"requests that stand behind later ones, by up to {by}, and count then": said["late"],
        "requests that are alone in the future, and count as the one before": said["ahead"],
        "requests answered 429, so clients may have come more or less often": said["denied_in_log"],
    }
    for what, count in counted.items():
        if count:
            yield f"{what}: {count:,}"
    for bad in said["bad"]:
        yield f"line {bad['line']:,}: {bad['why']}"
    yield from said["unknown"]
    for name in ("old", "new"):
        yield from _of_file(name, said[name])


def _of_file(name: str, file: Mapping[str, Any]) -> Iterator[str]:
    if file["malformed"]:
        what = f"requests that the {name} rules answer 400, left out"
        yield f"{what}: {file['malformed']:,} ({file['why_malformed']})"
    if file["forgotten"]:
        what = f"buckets of the {name} rules without room, so some requests count as allowed"
        yield f"{what}: {file['forgotten']:,}"
