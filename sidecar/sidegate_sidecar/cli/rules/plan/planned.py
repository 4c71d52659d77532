"""What `sidegate rules plan` says: as data, for scripts and for its printing."""

from __future__ import annotations

from secrets import token_bytes
from typing import TYPE_CHECKING, Any, NamedTuple

from sidegate.buckets.limits import SECOND
from sidegate_sidecar.reports.shown_keys import ShownKeys, shown_key
from sidegate_sidecar.rules_plan.log_times import time_text

if TYPE_CHECKING:
    from sidegate_sidecar.cli.rules.plan.allowance import PlanAllowance
    from sidegate_sidecar.rules_plan.log_clock import LogClock
    from sidegate_sidecar.rules_plan.log_lines import LogFormat, LogLines
    from sidegate_sidecar.rules_plan.replay import LogReplay, ReplayedFile, RuleCounts
    from sidegate_sidecar.rules_plan.unseen_fields import UnseenFields


class Replayed(NamedTuple):
    """A log that two files were held against."""

    log: str
    log_format: LogFormat
    lines: LogLines
    clock: LogClock
    replay: LogReplay
    unseen: UnseenFields


def planned(
    found: Replayed, top: int, shown: ShownKeys, allowance: PlanAllowance | None
) -> dict[str, Any]:
    """Return what would change, with the `top` keys that are newly denied most."""
    replay = found.replay
    too_many = allowance is not None and allowance.exceeded(replay.newly_denied, replay.requests)
    return {
        "log": found.log,
        "format": found.log_format.value,
        **_lines(found.lines),
        **_span(found.clock),
        "limited": replay.limited,
        "denied_in_log": replay.denied_before,
        "old": _file(replay.old),
        "new": _file(replay.new),
        "newly_denied": replay.newly_denied,
        "newly_allowed": replay.newly_allowed,
        "rules": [_rule(name, counts) for name, counts in replay.counts().items()],
        "keys": _keys(replay, top, shown),
        "unknown": found.unseen.told(),
        "max_newly_denied": allowance.text if allowance else None,
        "too_many": too_many,
        "summary": _summary(replay, allowance, too_many=too_many),
    }


def _lines(lines: LogLines) -> dict[str, Any]:
    return {
        "lines": lines.count,
        "requests": lines.requests,
        "without_request": lines.without_request,
        "bad_lines": lines.bad,
        "bad": [{"line": it.number, "why": it.why} for it in lines.shown],
    }


def _span(clock: LogClock) -> dict[str, Any]:
    begin = clock.now if clock.begin is None else clock.begin
    return {
        "from": time_text(begin),
        "until": time_text(clock.now),
        "seconds": (clock.now - begin) / SECOND,
        "late": clock.late,
        "latest_seconds": clock.latest / SECOND,
        "ahead": clock.ahead,
    }


def _file(file: ReplayedFile) -> dict[str, Any]:
    return {
        "digest": file.rules.digest,
        "denied": file.denied,
        "shadowed": sum(file.shadowed.values()),
        "malformed": file.malformed,
        "why_malformed": file.why_malformed or None,
        "forgotten": sum(file.buckets.evicted.values()),
    }


def _rule(name: str, counts: RuleCounts) -> dict[str, Any]:
    return {
        "name": name,
        "requests": counts.requests,
        "denied_by_old": counts.denied_by_old,
        "denied_by_new": counts.denied_by_new,
        "newly_denied": counts.newly_denied,
        "newly_allowed": counts.newly_allowed,
        "shadowed_by_old": counts.shadowed_by_old,
        "shadowed_by_new": counts.shadowed_by_new,
    }


def _keys(replay: LogReplay, top: int, shown: ShownKeys) -> list[dict[str, Any]]:
    salt = token_bytes(16)  # of this run: else an address could be found by trying all of them
    return [
        {"key": shown_key(key, shown, salt), "newly_denied": count, "error": error}
        for key, count, error in replay.keys.ranked(top)
    ]


def _summary(replay: LogReplay, allowance: PlanAllowance | None, *, too_many: bool) -> str:
    share = f"{replay.newly_denied / replay.requests:.2%}".replace("%", " %")
    said = (
        f"{replay.newly_denied:,} of {replay.requests:,} requests ({share}) would newly be denied,"
        f" {replay.newly_allowed:,} newly allowed"
    )
    if allowance is None:
        return said
    return f"{said}: {'more than' if too_many else 'within'} the {allowance.text} that may be"
