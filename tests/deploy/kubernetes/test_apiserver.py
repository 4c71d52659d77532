"""The chart on a Kubernetes API server: what it installs is accepted, kept and taken away."""

from collections.abc import Generator
from pathlib import Path
from shutil import copytree
from typing import Final

import pytest

from tests.deploy.kubernetes.apiserver import api_server
from tests.deploy.kubernetes.cluster_objects import ApiServer
from tests.deploy.kubernetes.releases import Release, app_pod
from tests.support.deploy.helm import BOTH, CHART, Helm, ci_values, find
from tests.support.processes.services import ROOT

RESTRICTED: Final = {"pod-security.kubernetes.io/enforce": "restricted"}
RING_SEED: Final = "limits-sidegate-ring-seed"
NO_PATCH: Final = ("--set", "patch.name=")  # it is for printing, not for installing
MODES: Final = ("sidecar", "daemonset", "deployment")
OPERATORS_KINDS: Final = (
    ("cert-manager.io", "Certificate"),
    ("monitoring.coreos.com", "PodMonitor"),
    ("monitoring.coreos.com", "PrometheusRule"),
)


@pytest.fixture(scope="module")
def server() -> Generator[ApiServer]:
    """Give an API server that knows the kinds that the chart can make use of."""
    with api_server() as running:
        for group, kind in OPERATORS_KINDS:
            running.create_kind(group, kind)
        classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
        running.create(classes, {"metadata": {"name": "important"}, "value": 1})
        yield running


@pytest.fixture(scope="module", params=BOTH)
def helm(
    request: pytest.FixtureRequest, server: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> Helm:
    """Give each Helm, pointed at the API server."""
    return Helm(find(request.param), tmp_path_factory.mktemp(request.param), server.kubeconfig)


@pytest.fixture
def release(helm: Helm, server: ApiServer) -> Release:
    """Give a release to be, in a namespace that takes restricted pods only."""
    return Release(helm, server, server.create_namespace(**RESTRICTED))


@pytest.mark.parametrize("values", ci_values().values(), ids=ci_values())
def test_what_the_chart_installs_is_accepted_and_so_are_its_pods(
    release: Release, values: Path
) -> None:
    """With each set of values; the pods satisfy the Pod Security Standard "restricted"."""
    options = ("--values", values)
    release.do("install", *options, *NO_PATCH, "--dry-run=server")
    release.do("install", *options, *NO_PATCH)
    for _ in release.pods():
        pass
    release.pod_by_hand(app_pod(), *options)


@pytest.mark.parametrize("mode", MODES)
def test_an_upgrade_keeps_the_secret(release: Release, mode: str) -> None:
    """And the seed of the ring, also where a fraction is set by --set, a string to Helm."""
    release.do("install", "--set", f"mode={mode}")
    before = release.secret(), release.secret(RING_SEED)
    release.do("upgrade", "--set", f"mode={mode},budget=0.2,drain=1.5")
    assert (release.secret(), release.secret(RING_SEED)) == before


@pytest.mark.parametrize("mode", MODES)
def test_the_notes_name_the_ring(release: Release, mode: str) -> None:
    """It is what other releases join, and not always the name of the release."""
    said = release.do("install", "--set", f"mode={mode}")
    assert "Its ring is called limits-sidegate." in said


def test_an_upgrade_keeps_a_secret_that_was_changed_in_the_cluster(release: Release) -> None:
    """And the others in it, and the seed of the ring, are the same after it."""
    release.do("install")
    before, seed = release.secret(), release.secret(RING_SEED)
    path = f"/api/v1/namespaces/{release.namespace}/secrets/limits-sidegate"
    release.server.patch(path, {"data": {"secret": "bmV3"}})
    release.do("upgrade", "--set", "budget=0.2")
    assert release.secret() == {**before, "secret": "bmV3"}
    assert release.secret(RING_SEED) == seed


@pytest.mark.parametrize("replicas", [0, 5])
def test_an_autoscaler_that_is_switched_on_finds_as_many_pods_as_there_were(
    release: Release, replicas: int
) -> None:
    """And so does the next upgrade, whatever the autoscaler has made of it."""
    release.do("install", "--set", f"mode=deployment,replicas={replicas}")
    enabled = ("--set", "mode=deployment,autoscaling.enabled=true")
    deployment = f"/apis/apps/v1/namespaces/{release.namespace}/deployments/limits-sidegate"
    release.do("upgrade", *enabled)
    assert release.server.get(deployment)["spec"]["replicas"] == replicas
    release.server.patch(f"{deployment}/scale", {"spec": {"replicas": 7}})
    release.do("upgrade", *enabled, "--set", "budget=0.2")
    assert release.server.get(deployment)["spec"]["replicas"] == 7


@pytest.mark.parametrize("mode", MODES)
def test_of_a_release_that_is_uninstalled_only_secret_and_seed_stay(
    release: Release, mode: str
) -> None:
    """And they are taken up again when the release comes back."""
    options = ("--set", f"mode={mode},dashboard.enabled=true")
    release.do("install", *options)
    before, objects = [release.secret(), release.secret(RING_SEED)], release.objects()
    assert len(release.stored(objects)) == len(objects) > 1
    release.uninstall()
    assert release.stored(objects) == {"Secret/limits-sidegate", f"Secret/{RING_SEED}"}
    release.do("install", *options)
    assert [release.secret(), release.secret(RING_SEED)] == before


def test_a_release_may_have_dots_in_its_name(release: Release) -> None:
    """A Service may not, so they are dashes in ours."""
    release.helm.do("install", "team.limits", CHART, "--namespace", release.namespace)
    services = f"/api/v1/namespaces/{release.namespace}/services"
    assert release.server.has(f"{services}/team-limits-sidegate-peers")


def test_the_example_is_accepted_and_so_are_its_pods(release: Release, tmp_path: Path) -> None:
    """From a copy, as Helm puts the charts that it depends on beside it."""
    example = ROOT / "examples" / "kubernetes"
    for folder in (CHART, example):
        copytree(folder, tmp_path / folder.relative_to(ROOT))
    release.do("install", "--dependency-update", chart=tmp_path / example.relative_to(ROOT))
    pods = list(release.pods())
    assert any(each["name"] == "sidegate" for each in pods[0]["spec"]["initContainers"])
