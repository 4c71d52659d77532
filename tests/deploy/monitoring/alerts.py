"""The alert rules as tests read them: the chart's file, whole, without its texts, or sped up."""

import json
import re
from typing import Any, Final

import yaml

from tests.support.processes.services import ROOT

PATH: Final = ROOT / "charts/sidegate/files/rules.yaml"
MINUTE: Final = 3
"""Seconds, when sped up: less than a sidecar needs to start anew would raise an alert."""


def alerts() -> dict[str, dict[str, Any]]:
    """Return all alerts by their names."""
    return {rule["alert"]: rule for group in _groups() for rule in group["rules"]}


def _groups() -> list[dict[str, Any]]:
    content: dict[str, Any] = yaml.safe_load(PATH.read_text())
    assert content.keys() == {"groups"}
    return list(content["groups"])


def without_texts() -> str:
    """Return the rules without annotations, which promtool would have us repeat."""
    groups = _groups()
    for group in groups:
        for rule in group["rules"]:
            del rule["annotations"]
    return json.dumps({"groups": groups})


def sped_up() -> str:
    """Return the rules with each minute made MINUTE. What is under way takes as long as ever."""
    groups = _groups()
    for group in groups:
        for rule in group["rules"]:
            for part in rule.keys() & {"expr", "for"}:
                rule[part] = re.sub(r"\b(\d+)m\b", _sped_up, rule[part])
    return json.dumps({"groups": groups})


def _sped_up(minutes: re.Match[str]) -> str:
    return f"{int(minutes[1]) * MINUTE}s"
