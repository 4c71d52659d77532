"""The metrics of a sidecar, as Prometheus would scrape them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

    from bench.lab.sidecars import Sidecar


async def gauges(http: httpx2.AsyncClient, node: Sidecar) -> dict[str, float]:
    """Return the value of each series, by its name and labels as they are written."""
    answer = (await http.get(f"http://{node.http}/metrics")).raise_for_status()
    lines = (line for line in answer.text.splitlines() if not line.startswith("#"))
    series = (line.rpartition(" ") for line in lines)
    return {name: float(value) for name, _, value in series}
