"""The closing summary, in plain text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sidegate_sidecar.loadtest.judge.report import Difference, LoadReport, Promise, StreamReport

COUNTS: Final = (
    *("stream", "requests", "admitted", "at least", "at most"),
    *("denied", "by policy", "errors"),
)
TIMES: Final = ("stream", "p50", "p90", "p99", "max", "added p50", "added p99")
VERDICT: Final = ("", "promise", "expected", "seen")


def heading(report: LoadReport) -> list[str]:
    """Return what a load test was, in the first lines of its summary."""
    of = f", scenario {report.scenario}" if report.scenario else ""
    total = sum(stream.requests for stream in report.streams)
    return [
        f"sidegate load: {total:,} requests in {report.elapsed:.1f} s to {report.url}{of}",
        f"  to repeat it: --seed {report.seed} --key-prefix {report.key_prefix}",
    ]


def summary(report: LoadReport, first: Sequence[str]) -> str:
    """Return what happened, and which promises held; `first` are its first lines."""
    lines = [
        *first,
        "",
        *table(COUNTS, map(counts_of, report.streams)),
        "",
        f"  {times_heading(report)}",
        *table(TIMES, map(times_of, report.streams)),
        "",
        f"  answers by source: {sources_of(report)}",
        *_added(report),
        f"  generator: {_generator(report)}",
        *_crashes(report),
        *(f"  error: {count:,} times {what}" for what, count in report.errors.items()),
        *(f"  warning: {warning}" for warning in report.warnings),
        "",
        *table(VERDICT, map(_promise, report.promises), words=4),
        "",
        verdict(report),
    ]
    return "\n".join(line.rstrip() for line in lines)


def verdict(report: LoadReport) -> str:
    """Return the last line: passed or failed, and by how many promises."""
    broken = sum(not promise.kept for promise in report.promises)
    if broken:
        return f"FAILED: {broken} of {len(report.promises)} promises broken"
    return f"PASSED: {len(report.promises)} promises kept"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> list[str]:
    """Return lines in columns; the first `words` columns are aligned left, all others right."""
    lines = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  " + "  ".join(_cells(line, widths, words)) for line in lines]


def _cells(line: Sequence[str], widths: Sequence[int], words: int) -> Iterable[str]:
    for at, (text, width) in enumerate(zip(line, widths, strict=True)):
        yield text.ljust(width) if at < words else text.rjust(width)


def counts_of(stream: StreamReport) -> list[str]:
    """Return a row under COUNTS."""
    allowance = stream.allowance
    bounds = [f"{allowance.least:,}", f"{allowance.most:,}"] if allowance else ["-", "-"]
    return [
        stream.name,
        f"{stream.requests:,}",
        f"{stream.admitted:,}",
        *bounds,
        f"{stream.denied:,}",
        f"{stream.by_policy:,}",
        f"{sum(stream.errors.values()) + stream.held_back:,}",
    ]


def times_heading(report: LoadReport) -> str:
    """Return what the columns under TIMES are, and how many requests aren't in them."""
    text = "latency in ms, from the moment at which a request was to start"
    missing = sum(stream.unmeasured for stream in report.streams)
    if missing:
        text += f"; {missing:,} that weren't sent, or failed, are not in it"
    return text


def times_of(stream: StreamReport) -> list[str]:
    """Return a row under TIMES."""
    found = stream.latency_ms
    mine = (found.p50, found.p90, found.p99, found.max) if found else ()
    shown = [f"{ms:.1f}" for ms in mine] or ["-"] * 4
    return [stream.name, *shown, *_difference(stream.added_ms)]


def _difference(added: Difference | None) -> list[str]:
    return [f"{added.p50:+.1f}", f"{added.p99:+.1f}"] if added else ["-", "-"]


def sources_of(report: LoadReport) -> str:
    """Return who answered how many requests, in words."""
    counts = Counter[str]()
    for stream in report.streams:
        counts.update(stream.sources)
    return in_words(counts)


def in_words(sources: Mapping[str, int]) -> str:
    """Return who decided how many requests, the most first."""
    ordered = Counter(sources).most_common()
    return ", ".join(f"{source} {count:,}" for source, count in ordered) or "none"


def _added(report: LoadReport) -> list[str]:
    if not report.added_ms:
        return []
    p50, p99 = _difference(report.added_ms)
    how = f"admitted requests, less {report.baseline} at the same time"
    return [f"  added by the limiter: p50 {p50} ms, p99 {p99} ms ({how})"]


def _generator(report: LoadReport) -> str:
    late, most = report.generator.lateness_ms, report.generator.max_in_flight
    shown = f"p99 {late.p99:.1f} ms late, at most {late.max:.1f} ms" if late else "nothing sent"
    return f"{shown}; {most:,} requests under way at the most"


def _crashes(report: LoadReport) -> list[str]:
    if not report.crashes:
        return []
    shown = ", ".join(f"{crash.node} at {crash.killed:.1f} s" for crash in report.crashes)
    return [f"  killed: {shown}"]


def _promise(promise: Promise) -> list[str]:
    text = f"{promise.stream}: {promise.text}" if promise.stream else promise.text
    return ["kept" if promise.kept else "BROKEN", text, promise.expected, promise.seen]
