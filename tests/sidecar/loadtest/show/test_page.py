"""The report as a page: whole by itself, well-formed, and it shows what was found."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate_sidecar.loadtest.judge.assess import assess
from sidegate_sidecar.loadtest.judge.crashes import Crash
from sidegate_sidecar.loadtest.judge.report import LoadReport
from sidegate_sidecar.loadtest.send.outcome import Outcome
from sidegate_sidecar.loadtest.show.page import page
from sidegate_sidecar.loadtest.show.plot import linear, logarithmic
from sidegate_sidecar.loadtest.show.summary import summary
from tests.sidecar.loadtest.records import ADMITTED, DENIED, facts, note


def report(url: str = "http://localhost/") -> LoadReport:
    run = facts("5/second")
    for number in range(50):
        at = number / 5
        note(run.records, at, DENIED if number % 3 else ADMITTED, took=0.001 * (number + 1))
    note(run.records, 9.9, Outcome.FAILED, source=None)
    run = replace(run, crashes=[Crash("node-<1>", 3.0, 4.0)])
    return assess(run, name="mine", url=url, urls=[url], seed=1, prefix="p")


def svgs(text: str) -> list[ET.Element]:
    return [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]


def test_nothing_is_fetched_and_nothing_runs() -> None:
    """No script, no style sheet, no picture from elsewhere: it can be mailed."""
    text = page(report())
    assert not re.findall(r"<script|<link|<img|<iframe|@import|url\(|src=|href=|\bon\w+=", text)


def test_it_is_well_formed() -> None:
    open_: list[str] = []

    class Check(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            del attrs
            if tag != "meta":
                open_.append(tag)

        def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            del tag, attrs

        def handle_endtag(self, tag: str) -> None:
            assert open_.pop() == tag

    Check().feed(page(report()))
    assert not open_


def test_its_plots_have_axes_with_units_marks_and_names() -> None:
    """Three of them; kills are marked in those over time."""
    shown = [" ".join(plot.itertext()) for plot in svgs(page(report()))]
    assert len(shown) == 3
    for text, units in zip(shown, ("requests / s", "latency, ms", "latency, ms"), strict=True):
        assert units in text
    assert ["seconds since the start" in text for text in shown] == [True, True, False]
    assert ["✕ node-<1>" in text for text in shown] == [True, True, False]
    assert "percentile" in shown[2]


def test_what_came_from_elsewhere_is_no_markup() -> None:
    """Names and addresses are shown as they are."""
    text = page(report("http://localhost/<b>&"))
    assert "http://localhost/&lt;b&gt;&amp;" in text
    assert "<b>&" not in text
    assert "node-<1>" not in text


def test_both_say_whether_it_passed() -> None:
    """In the page and in the terminal, with what was broken."""
    found = report()
    assert not found.passed
    for text in (page(found), summary(found, [])):
        assert "FAILED: 2 of 6 promises broken" in text
        assert "1 failed" in text
    kept = msgspec.structs.replace(found, promises=[one for one in found.promises if one.kept])
    assert "PASSED: 4 promises kept" in summary(kept, [])


def test_a_run_without_an_answer_has_a_page_too() -> None:
    run = facts()
    note(run.records, 1.0, Outcome.TIMEOUT, source=None)
    found = assess(run, name="", url="http://x/", urls=["http://x/"], seed=1, prefix="p")
    assert len(svgs(page(found))) == 3


def test_bars_stand_on_each_other() -> None:
    bars = [
        bar for bar in svgs(page(report()))[0].iter() if bar.get("class", "").startswith("bar ")
    ]
    first = [bar for bar in bars if bar.get("x") == bars[0].get("x")]
    assert [bar.get("class") for bar in first] == ["bar admitted", "bar denied"]
    lower, upper = ((float(bar.get("y") or 0), float(bar.get("height") or 0)) for bar in first)
    assert upper[0] + upper[1] == pytest.approx(lower[0], abs=0.2)
    assert lower[1] / upper[1] == pytest.approx(2 / 3, rel=0.05)


@given(st.floats(1e-3, 1e9))
def test_a_linear_axis_has_room_for_its_highest_value(high: float) -> None:
    """And a few round ticks, from 0 on."""
    axis = linear("", high)
    assert axis.low == 0
    assert high <= axis.high * (1 + 1e-9) <= high * 2.1 * (1 + 1e-9)
    assert 2 <= len(axis.ticks) <= 8


@given(st.lists(st.floats(1e-3, 1e5), min_size=1))
def test_a_logarithmic_axis_has_room_for_all_values(values: list[float]) -> None:
    """From a step below the lowest to one above the highest."""
    axis = logarithmic("", values)
    assert axis.low <= min(values)
    assert axis.high >= max(values)
    assert axis.place(axis.low) == 0
    assert axis.place(axis.high) == 1
