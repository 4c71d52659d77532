"""What a sidecar says of itself to a scraper."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families as parse

from sidegate_sidecar.process import Process


class Scrape:
    """What a sidecar says of itself."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in parse(text)}

    def __getitem__(self, series: str) -> float:
        return self.all(series)[()]

    def all(self, series: str, *labels: str) -> dict[Any, float]:
        """Return the values of all series of a name, by these labels."""
        return {
            tuple(sample.labels[label] for label in labels): sample.value
            for sample in self.samples()
            if sample.name == series
        }

    def samples(self) -> Iterator[Any]:
        for family in self.families.values():
            yield from family.samples


async def scrape(sidecar: Process) -> Scrape:
    """Return what a scrape would say now; over HTTP it may be a second old."""
    return Scrape(generate_latest(sidecar.http_server.registry).decode())


def counted(values: dict[Any, float]) -> dict[Any, float]:
    """Return those that are more than nothing."""
    return {labels: value for labels, value in values.items() if value}
