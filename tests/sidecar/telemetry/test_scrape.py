"""Scrapes, as many as there may be."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sidegate_sidecar.telemetry.scrape import FRESH_FOR, Scrape


class Rendered(Collector):
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.times = 0

    def collect(self) -> Iterator[Metric]:
        self.times += 1
        yield GaugeMetricFamily("times", "How often.", float(self.times))


def _scrape() -> tuple[Rendered, Scrape, list[float]]:
    rendered, registry, now = Rendered(), CollectorRegistry(auto_describe=False), [0.0]
    registry.register(rendered)
    return rendered, Scrape(registry, lambda: now[0]), now


def test_all_who_ask_within_a_second_get_the_same() -> None:
    """It is rendered when a second is over, and somebody asks."""
    rendered, scrape, now = _scrape()
    first = scrape.render("")
    now[0] = FRESH_FOR * 0.99
    assert scrape.render("") is first
    now[0] = FRESH_FOR
    assert b"times 2.0" in scrape.render("").body
    assert rendered.times == 2


def test_no_name_of_a_format_has_it_rendered_anew() -> None:
    """There are two, whatever versions and escapings a scraper says it accepts."""
    rendered, scrape, _ = _scrape()
    kinds = {
        scrape.render(accept).content_type
        for accept in (
            "",
            "*/*",
            "text/plain; version=1.0.0; escaping=dots",
            "text/plain; version=x" + "y" * 10_000,
            "application/openmetrics-text",
            *(f"application/openmetrics-text; version={at}.0.0; escaping=x" for at in range(100)),
            "APPLICATION/OPENMETRICS-TEXT; version=x",
        )
    }
    assert len(kinds) == 2
    assert rendered.times == 2
