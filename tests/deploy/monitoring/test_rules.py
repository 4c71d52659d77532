"""The alert rules: they ask for what is exported, and fire when they should and not else."""

import re
import shutil
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.monitoring.alerts import PATH, alerts, without_texts
from tests.deploy.monitoring.exported import require_exported
from tests.deploy.monitoring.prometheus import promtool
from tests.support.deploy.helm import Helm, rendering
from tests.support.deploy.manifests import the
from tests.support.processes.services import ROOT

CASES: Final = Path(__file__).parent / "rules_test.yaml"
RUNBOOK: Final = ROOT / "docs/running/alerts.md"

ALERTS = pytest.mark.parametrize(("name", "alert"), alerts().items(), ids=alerts())


@ALERTS
def test_alerts_ask_for_what_is_exported(name: str, alert: dict[str, Any]) -> None:
    """Metrics, labels and their values are those of a sidecar, or of Prometheus."""
    assert name.startswith("Sidegate")
    require_exported(alert["expr"])


@ALERTS
def test_alerts_say_what_to_do(name: str, alert: dict[str, Any]) -> None:
    """A severity, what is wrong in one line, what it means, and where the runbook has it."""
    assert alert["labels"].keys() == {"severity"}
    assert alert["labels"]["severity"] in {"warning", "critical"}
    texts = alert["annotations"]
    assert texts.keys() == {"summary", "description", "runbook"}
    assert "\n" not in texts["summary"]
    assert len(texts["summary"]) < 100
    assert all(texts[it].endswith(".") for it in ("summary", "description"))
    assert texts["runbook"] == f"docs/running/alerts.md#{name.lower()}"


def test_the_runbook_has_all_alerts_and_no_others() -> None:
    """Where an alert points there is a heading; one that is gone leaves none behind."""
    headings = re.findall(r"^## (Sidegate\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert headings == list(alerts())


def test_the_rules_are_right() -> None:
    """They are taken by promtool."""
    promtool("check", "rules", PATH)


def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    """Each fires on what it is for and not on what comes close; a rolling deploy raises none."""
    (tmp_path / "rules.yaml").write_text(without_texts())
    shutil.copy(CASES, tmp_path)
    promtool("test", "rules", tmp_path / CASES.name)


def cases(name: str) -> list[dict[str, Any]]:
    """Return what is expected of an alert at some moments."""
    content: dict[str, Any] = yaml.safe_load(CASES.read_text())
    tests = [test for group in content["tests"] for test in group.get("alert_rule_test", ())]
    return [test for test in tests if test["alertname"] == name]


@ALERTS
def test_alerts_are_tried_both_ways(name: str, alert: dict[str, Any]) -> None:
    """Each has a moment at which it fires and one at which it does not.

    All that texts name is there; what may lack they have in `{{ with $labels.… }}`.
    """
    firing = [bool(case.get("exp_alerts")) for case in cases(name)]
    assert set(firing) == {True, False}
    named = set(re.findall(r"{{ \$labels\.(\w+)", str(alert["annotations"])))
    for case in cases(name):
        for expected in case.get("exp_alerts", ()):
            assert named <= expected["exp_labels"].keys(), "an annotation names what isn't there"


# --- in the chart


def settings(*more: str) -> list[str]:
    """Return the options by which the chart brings alerts, and these."""
    return [word for it in ("prometheusRule.enabled=true", *more) for word in ("--set", it)]


def rendered(helm: Helm, *more: str) -> dict[str, Any]:
    """Return the spec of the chart's PrometheusRule."""
    spec: dict[str, Any] = the(helm.template(*settings(*more)), "PrometheusRule")["spec"]
    return spec


def test_the_chart_brings_the_file_as_it_is(helm: Helm) -> None:
    """What docker compose mounts is what Kubernetes gets."""
    assert rendered(helm) == yaml.safe_load(PATH.read_text())


def test_alerts_can_be_left_out(helm: Helm) -> None:
    """Those named are gone and all others there; of nothing there is no group."""
    unwanted = ("SidegateBusy", "SidegateAbsent")
    some = rendered(helm, f"prometheusRule.disabled={{{','.join(unwanted)}}}")
    names = [rule["alert"] for group in some["groups"] for rule in group["rules"]]
    assert names == [name for name in alerts() if name not in unwanted]
    assert rendered(helm, f"prometheusRule.disabled={{{','.join(alerts())}}}") == {"groups": []}


def test_an_alert_that_is_not_there_cannot_be_left_out(helm: Helm) -> None:
    """A name that is wrong would leave the alert on."""
    said = helm.fails(*rendering(), *settings("prometheusRule.disabled={SidegateBusy,Busy}"))
    assert 'prometheusRule.disabled "Busy": expected the name of an alert' in said


def test_alerts_link_to_the_runbook(helm: Helm) -> None:
    """With a prefix each has the URL of its heading; what can't begin a URL is refused."""
    prefix = "https://git.example/sidegate/"
    spec = rendered(helm, f"prometheusRule.runbookUrlPrefix={prefix}")
    rules = [rule for group in spec["groups"] for rule in group["rules"]]
    assert len(rules) == len(alerts())
    for rule in rules:
        assert rule["annotations"]["runbook_url"] == prefix + rule["annotations"]["runbook"]
    said = helm.fails(*rendering(), *settings("prometheusRule.runbookUrlPrefix=/docs"))
    assert "at '/prometheusRule/runbookUrlPrefix': '/docs' does not match pattern" in said
