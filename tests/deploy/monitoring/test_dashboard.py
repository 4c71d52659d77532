"""The dashboard: every query asks for what is exported, and every panel says what it shows."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deploy.monitoring.dashboard import PATH, Panel, dashboard, filled, panels
from tests.deploy.monitoring.exported import exported, require_exported
from tests.deploy.monitoring.prometheus import promtool
from tests.deploy.monitoring.promql import read

WIDTH: Final = 24  # columns of Grafana's grid
NOT_SHOWN: Final = {
    "process_virtual_memory_bytes",  # says nothing that resident memory doesn't
    "python_info",  # of the image, which the version stands for
}

PANELS = pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel.title)


def marks() -> list[str]:
    """Return the queries behind the marks in the graphs."""
    return [it["expr"] for it in dashboard()["annotations"]["list"]]


def variables() -> dict[str, dict[str, Any]]:
    """Return the variables by name."""
    return {it["name"]: it for it in dashboard()["templating"]["list"]}


# --- queries


@PANELS
def test_queries_ask_for_what_is_exported(panel: Panel) -> None:
    """Metrics, labels and their values are those of a sidecar, or of Prometheus."""
    assert 1 <= len(panel.queries) <= len("ABCDEFGH")
    for query in panel.queries:
        require_exported(filled(query))


def test_marks_ask_for_what_is_exported() -> None:
    """The marks in the graphs are the alerts that fire."""
    for query in marks():
        require_exported(filled(query))


@PANELS
def test_legends_name_labels_that_the_query_keeps(panel: Panel) -> None:
    """What a legend is made of is grouped by, and there is one where several series are."""
    for target in panel.content["targets"]:
        legend, kept = target["legendFormat"], read(filled(target["expr"])).labels
        if legend != "__auto":
            assert set(re.findall(r"{{(\w+)}}", legend)) <= kept
        if panel.content["type"] in {"timeseries", "state-timeline"}:
            assert legend != "__auto"


def test_all_that_is_exported_is_shown() -> None:
    """Each metric is on some panel, but for the few that say nothing new."""
    shown = {
        selector.metric
        for panel in panels()
        for query in panel.queries
        for selector in read(filled(query)).selectors
    }
    late = {"sidegate_rule_checks_total"}  # of checks a second ago: it may not be there yet
    assert exported().keys() - shown - late == NOT_SHOWN


def test_queries_are_right(tmp_path: Path) -> None:
    """All are taken by promtool, made into rules."""
    queries = [query for panel in panels() for query in panel.queries] + marks()
    rules = [{"record": f"q{at}", "expr": filled(it)} for at, it in enumerate(queries)]
    path = tmp_path / "queries.yaml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", path)


@PANELS
def test_queries_obey_the_variables(panel: Panel) -> None:
    """Whatever is selected from a sidecar is narrowed to those that were chosen."""
    for query in panel.queries:
        for selector in read(query.replace("$__rate_interval", "5m")).selectors:
            chosen = {it.label for it in selector.matchers if it.value == f"${it.label}"}
            wanted = {"job", "namespace", "instance"}
            assert chosen == wanted - ({"instance"} if selector.metric == "ALERTS" else set())


# --- variables


def test_variables_list_what_is_exported() -> None:
    """Each lists the values of a label of all sidecars, and all are chosen at first.

    All is any value or none: docker compose has no namespaces.
    """
    names = [name for name in variables() if name != "datasource"]
    assert names == ["job", "namespace", "instance"]
    for name in names:
        variable = variables()[name]
        listed = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"])
        assert listed
        require_exported(filled(listed[1]))
        assert listed[2] == name
        assert variable["query"]["query"] == variable["definition"]
        assert (variable["allValue"], variable["current"]["value"]) == (".*", ["$__all"])


def test_no_data_source_is_hard_coded() -> None:
    """Every data source is the one that was chosen, so the dashboard works in any Grafana."""
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert variables()["datasource"]["query"] == "prometheus"
    found: list[Any] = []

    def look(part: dict[str, Any]) -> dict[str, Any]:
        found.extend([part["datasource"]] if "datasource" in part else [])
        return part

    json.loads(PATH.read_text(), object_hook=look)
    assert len(found) > 2 * len(panels())
    assert all(it == chosen for it in found)


# --- panels


@PANELS
def test_panels_say_what_they_show(panel: Panel) -> None:
    """A title, a description of a sentence or more, and a unit."""
    content = panel.content
    assert panel.title.strip()
    assert len(content["description"]) > 60
    assert content["description"].endswith(".")
    assert content["fieldConfig"]["defaults"]["unit"]
    if content["type"] == "timeseries":
        assert content["options"]["legend"]["showLegend"]
        assert content["options"]["tooltip"]["mode"] == "multi"


def test_titles_and_ids_are_their_own() -> None:
    """No two panels share an id, nor two of a row a title."""
    ids = [it["id"] for it in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)
    titles: list[str] = []
    for panel in dashboard()["panels"]:
        if panel["type"] == "row":
            titles.clear()
        assert panel["title"] not in titles
        titles.append(panel["title"])


def test_panels_do_not_overlap() -> None:
    """Each is within the grid, and none lies on another."""
    places = [(it["title"], it["gridPos"]) for it in dashboard()["panels"]]
    for title, at in places:
        assert at["x"] >= 0, title
        assert at["x"] + at["w"] <= WIDTH, title
    for (one, a), (other, b) in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or above, f"{one} lies on {other}"


def test_the_file_is_ready_to_be_provisioned() -> None:
    """It has its own identity, none of some Grafana's, and looks again by itself."""
    content = dashboard()
    assert (content["uid"], content["title"], content["id"]) == ("sidegate", "sidegate", None)
    assert content["refresh"] == "30s"
    assert content["schemaVersion"] == 39  # of Grafana 11.0: later ones take it as it is
    assert "__inputs" not in content


def test_the_file_is_written_in_one_way() -> None:
    """Sorted keys, two spaces: what changes between two versions is what differs."""
    text = json.dumps(dashboard(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert PATH.read_text() == text
