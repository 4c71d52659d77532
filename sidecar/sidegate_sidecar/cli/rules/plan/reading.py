"""Reading: a log from its first line to its last, each request held against both files."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidegate.http.request.hosts import canonical_host
from sidegate.http.request.proxies import NO_PROXIES
from sidegate_sidecar.cli.options import readers
from sidegate_sidecar.cli.rules.described_request import ONE_PROXY
from sidegate_sidecar.cli.rules.plan.log_file import opened_log
from sidegate_sidecar.cli.rules.plan.planned import Replayed
from sidegate_sidecar.cli.rules.plan.progress import lines_with_progress
from sidegate_sidecar.config import OptionError
from sidegate_sidecar.errors import BAD_INPUT, Failure
from sidegate_sidecar.rules_plan.json_lines import HEADER, NAMES, FieldNames
from sidegate_sidecar.rules_plan.log_clock import LogClock
from sidegate_sidecar.rules_plan.log_lines import LogFormat, LogLines, format_of, reader_of
from sidegate_sidecar.rules_plan.replay import LogReplay
from sidegate_sidecar.rules_plan.unseen_fields import UnseenFields
from sidegate_sidecar.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.ruleset.ruleset import RuleSet
    from sidegate_sidecar.cli.rules.plan.log_file import LogFile


class LogOptions(NamedTuple):
    """How a log is to be read; `log_format` is None where its first lines tell."""

    log_format: LogFormat | None
    names: FieldNames
    host: str
    is_trusted: bool

    @classmethod
    def read(
        cls, log_format: str, fields: Iterable[str], host: str, *, is_trusted: bool
    ) -> LogOptions:
        """Return what the options of a command line say; OptionError for what can't be."""
        if host and not canonical_host(host):
            raise OptionError("host", host, "expected a host such as api.example.com")
        told = FieldNames(_field(it) for it in fields)
        chosen = readers.choice("format", log_format, LogFormat) if log_format else None
        return cls(chosen, told, host, is_trusted)


def _field(text: str) -> tuple[str, str]:
    what, _, name = (it.strip() for it in text.partition("="))
    if what.startswith(HEADER):
        what = HEADER + readers.header_name("field", what.removeprefix(HEADER)).lower()
    elif what not in NAMES:
        known = ", ".join(NAMES)
        raise OptionError("field", text, f"expected one of {known} or header:NAME before =")
    if not name:
        raise OptionError("field", text, "expected what the log calls it behind =")
    return what, name


def replayed(old: RuleSet, new: RuleSet, name: str, options: LogOptions) -> Replayed:
    """Hold a log against two files; Failure if it is none."""
    with opened_log(name) as log:
        log_format = options.log_format or format_of(log.first)
        if log_format is None:
            raise Failure(BAD_INPUT, _unknown(log))
        proxies = ONE_PROXY if options.is_trusted else NO_PROXIES
        lines = LogLines(reader_of(log_format, proxies, options.names, options.host))
        unseen = UnseenFields((old, new), is_trusted=options.is_trusted)
        replay, clock = LogReplay(old, new), LogClock()
        for request, now in clock.timed(lines.read(lines_with_progress(log))):
            unseen.look(request)
            replay.take(request, now)
        _require_log(log, lines, log_format)
        return Replayed(log.name, log_format, lines, clock, replay, unseen)


def _unknown(log: LogFile) -> str:
    formats = ", ".join(LogFormat)
    if not any(line.strip() for line in log.first):
        return f"{visible(log.name)}: no lines, expected an access log"
    return f"{visible(log.name)}: no format that is known: expected one of {formats}"


def _require_log(log: LogFile, lines: LogLines, log_format: LogFormat) -> None:
    if lines.bad * 2 <= lines.count and lines.requests:
        return
    bad = f"{lines.bad:,} of {lines.count:,} lines can't be read"
    why = "".join(f"; line {it.number:,}: {it.why}" for it in lines.shown)
    said = f"{bad} as {log_format}{why}" if lines.bad else "no request in any of its lines"
    raise Failure(BAD_INPUT, visible(f"{log.name}: {said}"))
