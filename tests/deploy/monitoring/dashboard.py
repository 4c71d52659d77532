"""The dashboard as tests read it: its panels, and their queries with the variables filled in."""

import json
from typing import Any, Final, NamedTuple

from tests.support.processes.services import ROOT

PATH: Final = ROOT / "charts/sidegate/files/dashboard.json"


class Panel(NamedTuple):
    """A panel: its title, and all of it."""

    title: str
    content: dict[str, Any]

    @property
    def queries(self) -> list[str]:
        """Its queries, as Grafana has them."""
        return [target["expr"] for target in self.content.get("targets", [])]


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    content: dict[str, Any] = json.loads(PATH.read_text())
    return content


def panels() -> list[Panel]:
    """Return all panels but the rows between them."""
    return [Panel(it["title"], it) for it in dashboard()["panels"] if it["type"] != "row"]


def filled(query: str, window: str = "5m") -> str:
    """Return a query as Grafana sends it when everything is chosen."""
    for name in ("job", "namespace", "instance"):
        query = query.replace(f"${name}", ".*")
    query = query.replace("$__rate_interval", window)
    assert "$" not in query, query
    return query
