"""Helm, of both major versions, away from the user's own settings and clusters."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.deploy import tools
from tests.support.deploy.go import GoError
from tests.support.optional import in_ci, missing, missing_build
from tests.support.processes.services import ROOT

CHART: Final = ROOT / "charts" / "sidegate"
BOTH: Final = ("helm3", "helm4")
PATIENCE: Final = 60.0  # seconds for one command; a third of one is usual
RELEASE: Final = "limits"
NAMESPACE: Final = "shop"
NEWEST: Final = "1.36.0"  # the Kubernetes that is rendered for; Helm itself may know an older one


def find(name: str) -> str:
    """Return the path of helm3, helm4 or helm-docs; without it skip the test.

    SIDEGATE_HELM3, SIDEGATE_HELM4 and SIDEGATE_HELM_DOCS name other files than .venv/tools or PATH
    have. In CI what is missing is built, and if that fails, so does the test.
    """
    variable = "SIDEGATE_" + name.upper().replace("-", "_")
    given = os.environ.get(variable)
    if given and not os.access(given, os.X_OK):
        pytest.fail(f"{variable} {given}: expected a program")
    found = given or shutil.which(tools.TOOLS / name) or _in_path(name)
    return found or _built(name)


def _in_path(name: str) -> str | None:
    found = shutil.which("helm" if name in BOTH else name)
    if found is None or name not in BOTH:
        return found
    says = subprocess.run([found, "version", "--short"], capture_output=True, text=True, check=True)
    return found if says.stdout.startswith(f"v{name[-1]}.") else None


def _built(name: str) -> str:
    if not in_ci():
        missing(f"no {name}: python -m tests.support.deploy.tools builds it")
    try:
        return str(tools.install(name))
    except GoError as error:
        missing_build(f"{name}: {error}")


class Helm:
    """One Helm. It talks to no cluster unless `kubeconfig` names one, and remembers renderings."""

    def __init__(self, path: str, home: Path, kubeconfig: Path | None = None) -> None:
        self.path = path
        self._environment = {
            **{key: text for key, text in os.environ.items() if not key.startswith("HELM_")},
            **{f"HELM_{what}_HOME": str(home / what) for what in ("CACHE", "CONFIG", "DATA")},
            "KUBECONFIG": str(kubeconfig or os.devnull),
            "KUBECACHEDIR": str(home / "KUBERNETES"),
        }
        self._rendered: dict[tuple[str, ...], list[dict[str, Any]]] = {}

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command and return how it ended, whatever that was."""
        return subprocess.run(
            [self.path, *map(str, words)],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def do(self, *words: str | Path) -> str:
        """Run a command that must succeed, and return what it printed."""
        done = self.run(*words)
        assert done.returncode == 0, f"helm {' '.join(map(str, words))}:\n{done.stderr}"
        return done.stdout

    def fails(self, *words: str | Path) -> str:
        """Run a command that must fail, and return what it said about it."""
        done = self.run(*words)
        assert done.returncode != 0, f"helm {' '.join(map(str, words))}: expected it to fail"
        return done.stderr + done.stdout

    def template(self, *options: str | Path, chart: Path = CHART) -> list[dict[str, Any]]:
        """Return the objects that a chart renders to, as release `limits` in namespace `shop`."""
        words = tuple(map(str, (*rendering(chart), *options)))
        if words not in self._rendered:
            objects = yaml.safe_load_all(self.do(*words))
            self._rendered[words] = [it for it in objects if it]
        return self._rendered[words]


def rendering(chart: Path = CHART) -> tuple[str | Path, ...]:
    """Return the words of a command that renders a chart."""
    where = ("--namespace", NAMESPACE, "--kube-version", NEWEST)
    return ("template", RELEASE, chart, *where)


def ci_values() -> Mapping[str, Path]:
    """Return the files in the chart's `ci`, by name: sets of values that must work."""
    suffix = "-values.yaml"
    files = sorted((CHART / "ci").glob(f"*{suffix}"))
    return {path.name.removesuffix(suffix): path for path in files}
