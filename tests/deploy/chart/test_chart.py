"""The chart, rendered by both Helms: objects that every Kubernetes since 1.29 takes."""

import base64
import re
import subprocess
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from sidegate.version import __version__
from tests.support.deploy import manifests
from tests.support.deploy.helm import BOTH, CHART, NEWEST, PATIENCE, Helm, ci_values, find
from tests.support.deploy.manifests import Object, PodShape

CI_VALUES = pytest.mark.parametrize("values", ci_values().values(), ids=ci_values())
RUN_BY_US = ("daemonset", "deployment")  # modes whose pods are the chart's own


def ours(helm: Helm, *settings: str) -> list[Object]:
    return helm.template(*(word for it in settings for word in ("--set", it)))


@CI_VALUES
def test_helm_lint_has_nothing_to_say(helm: Helm, values: Path) -> None:
    said = helm.do("lint", CHART, "--values", values, "--strict", "--kube-version", NEWEST)
    assert not re.findall(r"\[(?:WARNING|ERROR)\].*", said)


@CI_VALUES
@pytest.mark.parametrize("version", manifests.SUPPORTED)
def test_each_object_has_only_fields_that_kubernetes_knows(
    helm: Helm, values: Path, version: str
) -> None:
    for it in helm.template("--values", values):
        if not it["kind"].startswith("MutatingAdmission") or version == "1.36":  # its first
            manifests.validate(it, version)


@CI_VALUES
def test_both_helms_render_the_same(values: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """But for the secret and the seed of the ring, which are made up."""
    three, four = (Helm(find(it), tmp_path_factory.mktemp(it)) for it in BOTH)
    options = ["--values", str(values)]
    if not yaml.safe_load(values.read_text()).get("secret"):
        options += ["--set", "secret.value=sixteen-and-more"]
        options += ["--set", "secret.nodeValue=sixteen-of-nodes"]
        options += ["--set", "secret.tokenValue=sixteen-of-HTTP."]
        options += ["--set", "ringSeed.value=0123456789abcdef"]
    assert three.template(*options) == four.template(*options)


@CI_VALUES
def test_every_pod_keeps_to_the_restricted_standard_and_has_no_token(
    helm: Helm, values: Path
) -> None:
    for pod in manifests.pods(helm.template("--values", values)):
        assert manifests.unrestricted(pod) == [], pod.title
        assert pod.spec["automountServiceAccountToken"] is False, pod.title
        for container in pod.containers:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


@CI_VALUES
def test_nothing_asks_for_rights_on_the_api_server(helm: Helm, values: Path) -> None:
    kinds = {it["kind"] for it in helm.template("--values", values)}
    assert not {it for it in kinds if "Role" in it or it == "ServiceAccount"}


@CI_VALUES
def test_ports_are_numbers(helm: Helm, values: Path) -> None:
    """Before 1.32 a Service finds no named port of a native sidecar; some network plugins too."""
    objects = helm.template("--values", values)
    for service in manifests.of_kind(objects, "Service"):
        assert all(isinstance(it["targetPort"], int) for it in service["spec"]["ports"])
    for policy in manifests.of_kind(objects, "NetworkPolicy"):
        rules = policy["spec"]["ingress"]
        ports = [it for rule in rules for it in rule.get("ports", []) if it.keys() != {"protocol"}]
        assert all(isinstance(it["port"], int) for it in ports)
    for pod in manifests.pods(objects):
        for container in pod.containers:
            probes = [probe for name, probe in container.items() if name.endswith("Probe")]
            assert all(isinstance(it["httpGet"]["port"], int) for it in probes)


@CI_VALUES
def test_every_image_has_a_version(helm: Helm, values: Path) -> None:
    for pod in manifests.pods(helm.template("--values", values)):
        for container in pod.containers:
            tag = container["image"].rpartition(":")[2]
            assert tag not in {"", "latest"} and "/" not in tag  # noqa: PT018  # one thing


@CI_VALUES
def test_objects_are_labelled_as_kubernetes_recommends(helm: Helm, values: Path) -> None:
    wanted = {"name", "instance", "version", "managed-by"}
    for it in helm.template("--values", values):
        if it["kind"] != "Pod":
            labels = it["metadata"]["labels"]
            assert {f"app.kubernetes.io/{label}" for label in wanted} <= labels.keys()
            assert labels["helm.sh/chart"] == f"sidegate-{__version__}"


@pytest.mark.parametrize("mode", RUN_BY_US)
def test_selectors_find_the_pods_of_the_release_and_not_that_of_its_test(
    helm: Helm, mode: str
) -> None:
    objects = ours(helm, f"mode={mode}", "networkPolicy.enabled=true", "podMonitor.enabled=true")
    pod, test = _pods_and_test(objects)
    for it in objects:
        selector = _selector(it)
        assert selector is None or manifests.selects(selector, pod.labels), manifests.summary(it)
        if it["kind"] in {"Service", "Deployment", "DaemonSet", "PodDisruptionBudget"}:
            assert not manifests.selects(selector or {}, test.labels), manifests.summary(it)


def _pods_and_test(objects: list[Object]) -> tuple[PodShape, PodShape]:
    pod, test = sorted(manifests.pods(objects), key=lambda it: it.title.startswith("Pod/"))
    return pod, test


def _selector(thing: Object) -> dict[str, str] | None:
    spec: dict[str, Any] = thing.get("spec", {})
    selector = spec.get("selector", spec.get("podSelector"))
    return selector and selector.get("matchLabels", selector)


@pytest.mark.parametrize("mode", ["sidecar", *RUN_BY_US])
def test_the_seed_is_a_headless_service_that_publishes_pods_before_they_are_ready(
    helm: Helm, mode: str
) -> None:
    service = manifests.the(ours(helm, f"mode={mode}"), "Service", "limits-sidegate-peers")
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True


def test_in_mode_sidecar_only_what_pods_share_is_installed(helm: Helm) -> None:
    objects = [
        it for it in ours(helm) if "helm.sh/hook" not in it["metadata"].get("annotations", {})
    ]
    assert {it["kind"] for it in objects} == {"Service", "Secret", "NetworkPolicy"}


def test_of_a_daemonset_apps_reach_the_sidecar_of_their_own_node(helm: Helm) -> None:
    """And while one is replaced there are two, so that they reach one at any time."""
    objects = ours(helm, "mode=daemonset")
    service = manifests.the(objects, "Service", "limits-sidegate")
    assert service["spec"]["internalTrafficPolicy"] == "Local"
    update = manifests.the(objects, "DaemonSet")["spec"]["updateStrategy"]["rollingUpdate"]
    assert update == {"maxUnavailable": 0, "maxSurge": 1}


def test_a_deployment_is_spread_and_rolled_so_that_it_never_lacks_a_pod(helm: Helm) -> None:
    objects = ours(helm, "mode=deployment")
    spec = manifests.the(objects, "Deployment")["spec"]
    assert spec["replicas"] == 3
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    spread = spec["template"]["spec"]["topologySpreadConstraints"]
    zones = {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert {it["topologyKey"] for it in spread} == zones
    assert {it["whenUnsatisfiable"] for it in spread} == {"ScheduleAnyway"}
    budget = manifests.the(objects, "PodDisruptionBudget")["spec"]
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_an_autoscaler_has_the_say_about_replicas(helm: Helm) -> None:
    """It goes by the core that sidegate can use.

    Not by a share of what is requested, which a pod takes at a few hundred checks a second.
    """
    objects = ours(helm, "mode=deployment", "autoscaling.enabled=true")
    assert "replicas" not in manifests.the(objects, "Deployment")["spec"]
    scaler = manifests.the(objects, "HorizontalPodAutoscaler")["spec"]
    name = manifests.the(objects, "Deployment")["metadata"]["name"]
    assert scaler["scaleTargetRef"]["name"] == name
    (metric,) = scaler["metrics"]
    assert metric["resource"]["target"] == {"type": "AverageValue", "averageValue": "600m"}


def test_a_budget_may_say_how_many_are_to_stay(helm: Helm) -> None:
    objects = ours(helm, "mode=deployment", "podDisruptionBudget.minAvailable=0")
    spec = manifests.the(objects, "PodDisruptionBudget")["spec"]
    assert spec["minAvailable"] == 0
    assert "maxUnavailable" not in spec


def test_a_deployment_may_have_no_pods_for_now(helm: Helm) -> None:
    objects = ours(helm, "mode=deployment", "replicas=0")
    assert manifests.the(objects, "Deployment")["spec"]["replicas"] == 0


@pytest.mark.parametrize("mode", RUN_BY_US)
def test_pods_of_the_chart_keep_to_linux_also_where_nodes_are_chosen(helm: Helm, mode: str) -> None:
    for pod in manifests.pods(ours(helm, f"mode={mode}", "nodeSelector.pool=infra")):
        assert pod.spec["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "infra"}


def test_an_image_may_be_named_by_its_digest(helm: Helm) -> None:
    digest = f"sha256:{'0a' * 32}"
    for pod in manifests.pods(ours(helm, f"image.digest={digest}", "mode=deployment")):
        assert {it["image"] for it in pod.containers} == {f"sidegate@{digest}"}


def test_labels_of_your_own_are_on_all_objects_and_in_no_selector(helm: Helm) -> None:
    for it in helm.template("--values", ci_values()["deployment-full"]):
        if it["kind"] != "Pod":
            assert it["metadata"]["labels"]["cost-centre"] == "limits", manifests.summary(it)
        assert "cost-centre" not in (_selector(it) or {})


def test_the_log_of_the_test_can_be_read_when_it_is_over(helm: Helm) -> None:
    """`helm test --logs` of Helm 3 reads it after it has deleted what is to be deleted."""
    annotations = manifests.the(ours(helm), "Pod")["metadata"]["annotations"]
    assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation"


@pytest.mark.parametrize("mode", RUN_BY_US)
def test_pods_of_their_own_are_ready_when_sidegate_is(helm: Helm, mode: str) -> None:
    pod, _ = _pods_and_test(ours(helm, f"mode={mode}"))
    container = pod.container()
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 7172}
    assert "restartPolicy" not in container


def test_the_test_in_mode_sidecar_runs_a_leaf_so_that_no_bucket_moves(helm: Helm) -> None:
    test = manifests.the(ours(helm), "Pod")
    sidecar = manifests.container(test["spec"], "sidegate")
    assert manifests.env(sidecar)["SIDEGATE_ROLE"] == "leaf"
    assert test["spec"]["restartPolicy"] == "Never"
    assert test["metadata"]["annotations"]["helm.sh/hook"] == "test"


def test_a_certificate_is_mounted_where_the_options_say(helm: Helm) -> None:
    objects = helm.template("--values", ci_values()["deployment-full"])
    certificate = manifests.the(objects, "Certificate")
    assert {"server auth", "client auth"} <= set(certificate["spec"]["usages"])
    pod, _ = _pods_and_test(objects)
    assert pod.env()["SIDEGATE_TLS_CERT"] == "/etc/sidegate/tls/tls.crt"
    mount, volume = pod.mounted("/etc/sidegate/tls")
    assert mount["readOnly"] is True
    assert volume["secret"]["secretName"] == certificate["spec"]["secretName"]


MADE_UP = {"value": "secret", "nodeValue": "node-secret", "tokenValue": "http-token"}


def test_a_secret_that_is_given_is_taken_and_else_one_is_made_up(helm: Helm) -> None:
    """43 letters and digits hold 256 bits. That an upgrade keeps it takes a cluster to see."""
    name = "limits-sidegate"
    for value, key in MADE_UP.items():
        given = manifests.the(ours(helm, f"secret.{value}=sixteen-and-more"), "Secret", name)
        assert given["data"][key] == "c2l4dGVlbi1hbmQtbW9yZQ=="
    made_up = manifests.the(ours(helm), "Secret", name)
    assert {len(made_up["data"][key]) for key in MADE_UP.values()} == {60}
    assert len({made_up["data"][key] for key in MADE_UP.values()}) == len(MADE_UP)
    assert made_up["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert 'lookup "v1" "Secret"' in (CHART / "templates" / "secret.yaml").read_text()


def test_a_ring_seed_that_is_given_is_taken_and_else_one_is_made_up(helm: Helm) -> None:
    """As the secret is, and apart from it: whoever replaces that one keeps this one."""
    name, text = "limits-sidegate-ring-seed", "0123456789abcdef"
    given = manifests.the(ours(helm, f"ringSeed.value={text}"), "Secret", name)
    assert base64.b64decode(given["data"]["ring-seed"]) == text.encode()
    made_up = manifests.the(ours(helm, "secret.value=sixteen-and-more"), "Secret", name)
    assert len(made_up["data"]["ring-seed"]) == 60
    assert made_up["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert 'lookup "v1" "Secret"' in (CHART / "templates" / "secret-ring-seed.yaml").read_text()
    assert manifests.the(ours(helm, "insecure=true"), "Secret", name)  # against apps' users


def test_the_chart_installs_this_version_and_says_so() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == __version__


def test_an_older_kubernetes_is_refused(helm: Helm) -> None:
    said = helm.fails("template", "limits", CHART, "--kube-version", "1.28.9")
    assert ">=1.29" in said


def test_the_readme_has_the_values_as_they_are(tmp_path: Path) -> None:
    """After a change: helm-docs --chart-search-root charts/sidegate --sort-values-order file."""
    copy = copytree(CHART, tmp_path / "sidegate")
    command = [find("helm-docs"), "--chart-search-root", str(copy), "--sort-values-order", "file"]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
    assert (copy / "README.md").read_text() == (CHART / "README.md").read_text()
    rows = [line for line in (copy / "README.md").read_text().splitlines() if line[:1] == "|"]
    assert not [row for row in rows if row.endswith("|  |")], "each value has its comment"
