"""The report as one page for people: nothing is fetched from anywhere, and no script runs. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from sidegate_sidecar.loadtest.show.plots import curves, latencies, outcomes
from sidegate_sidecar.loadtest.show.summary import (
    COUNTS,
    TIMES,
    counts_of,
    sources_of,
    times_heading,
    times_of,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidegate_sidecar.loadtest.judge.report import LoadReport, Promise


def page(report: LoadReport) -> str:
    """Return the page as HTML."""
    style = (files("sidegate_sidecar.loadtest.show") / "page.css").read_text("utf-8")
    title = f"Load test of {report.url}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>\n{style}</style></head><body><main>\n"
        f"{''.join(_body(report, title))}</main></body></html>\n"
    )


def _body(report: LoadReport, title: str) -> Iterable[str]:
    yield f"<header><h1>{escape(title)}</h1><p>{escape(_when(report))}</p></header>\n"
    mood = "kept" if report.passed else "broken"
    yield f'<p class="verdict {mood}">{escape(verdict(report))}</p>\n'
    yield f'<dl class="tiles">{"".join(_tiles(report))}</dl>\n'
    for warning in report.warnings:
        yield f'<p class="warning">{escape(warning)}</p>\n'
    yield _section("Promises", _promises(report.promises))
    yield _section("Requests by outcome", outcomes(report))
    yield _section("Latency over time", latencies(report))
    yield _section("Latency by stream", curves(report))
    yield _section("Streams", _table(COUNTS, map(counts_of, report.streams)) + _note(report))
    heading = times_heading(report)
    yield _section(heading[0].upper() + heading[1:], _table(TIMES, map(times_of, report.streams)))
    if report.errors:
        rows = [[what, f"{count:,}"] for what, count in report.errors.items()]
        yield _section("Errors", _table(("error", "requests"), rows))
    yield f"<footer>sidegate {escape(report.sidegate)}, {escape(_again(report))}</footer>\n"


def _when(report: LoadReport) -> str:
    moment = datetime.fromtimestamp(report.started, UTC)
    of = f", scenario {report.scenario}" if report.scenario else ""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC, {report.elapsed:.1f} s{of}"


def _again(report: LoadReport) -> str:
    return f"to repeat it: --seed {report.seed} --key-prefix {report.key_prefix}"


def _tiles(report: LoadReport) -> Iterable[str]:
    total = sum(stream.requests for stream in report.streams)
    yield _tile("requests", f"{total:,}", f"{total / max(report.elapsed, 1e-9):,.0f} a second")
    admitted, denied = (
        sum(getattr(stream, name) for stream in report.streams) for name in ("admitted", "denied")
    )
    yield _tile("admitted", f"{admitted:,}", f"{denied:,} denied")
    if report.added_ms:
        added = report.added_ms
        yield _tile("added by the limiter, p50", f"{added.p50:+.1f} ms", f"p99 {added.p99:+.1f} ms")
    late = report.generator.lateness_ms
    if late:
        yield _tile("generator late, p99", f"{late.p99:.1f} ms", f"at most {late.max:.1f} ms")
    if report.crashes:
        nodes = sorted({crash.node for crash in report.crashes})
        yield _tile("kills", f"{len(report.crashes)}", ", ".join(nodes))


def _tile(title: str, figure: str, more: str) -> str:
    return (
        f"<div><dt>{escape(title)}</dt><dd>{escape(figure)}<small>{escape(more)}</small></dd></div>"
    )


def _note(report: LoadReport) -> str:
    """Say what the columns mean."""
    return (
        f'<p class="note">Answers by source: {escape(sources_of(report))}. At most: burst and'
        " refill of each key, from its first request to its last answer, and what kills and"
        " late owners may cost. At least: what an exact limiter admits of the same requests, less a"
        " tenth, and so for each key. What a policy answered counts for neither.</p>"
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{content}</section>\n"


def _promises(promises: Sequence[Promise]) -> str:
    rows = "".join(map(_promise, promises))
    titles = "".join(f"<th>{title}</th>" for title in ("", "promise", "expected", "seen"))
    head = f"<thead><tr>{titles}</tr></thead>"
    return _wide(f'<table class="words">{head}<tbody>{rows}</tbody></table>')


def _promise(promise: Promise) -> str:
    mood, sign = ("kept", "✓ kept") if promise.kept else ("broken", "✕ broken")
    stream = f"<b>{escape(promise.stream)}</b> " if promise.stream else ""
    return (
        f'<tr class="{mood}"><td class="sign">{sign}</td><td>{stream}{escape(promise.text)}</td>'
        f"<td>{escape(promise.expected)}</td><td>{escape(promise.seen)}</td></tr>"
    )


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return _wide(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def _wide(table: str) -> str:
    """Let a table scroll by itself where the screen is too narrow for it."""
    return f'<div class="wide">{table}</div>'
