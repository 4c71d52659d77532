"""The sidecar in the pods of an app's chart: the order of the pod, and who it rings with."""

from pathlib import Path
from shutil import copytree
from typing import Final

import pytest
import yaml

from sidegate.buckets.limits import SECOND
from sidegate_sidecar.cluster.place import place
from sidegate_sidecar.links import discovery
from tests.support.deploy import manifests
from tests.support.deploy.helm import CHART, NEWEST, RELEASE, Helm, rendering
from tests.support.deploy.manifests import Object, PodShape
from tests.support.processes.services import ROOT

EXAMPLE: Final = ROOT / "examples" / "kubernetes"
RING_SEED: Final = "limits-sidegate-ring-seed"


@pytest.fixture(scope="module")
def example(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the example, with the chart that it depends on beside it and in it."""
    folder = tmp_path_factory.mktemp("checkout")
    for chart in (CHART, EXAMPLE):
        copytree(chart, folder / chart.relative_to(ROOT))
    copy = folder / EXAMPLE.relative_to(ROOT)
    helm.do("dependency", "update", copy)
    return copy


@pytest.fixture(scope="module")
def objects(helm: Helm, example: Path) -> list[Object]:
    """Give what the example renders to."""
    return helm.template(chart=example)


@pytest.fixture(scope="module")
def pod(objects: list[Object]) -> PodShape:
    """Give the pod of the example's app."""
    return manifests.the_pod(objects)


def test_the_sidecar_is_ready_before_the_app_starts_and_ends_after_it(pod: PodShape) -> None:
    """An init container that is always restarted is started when its startup probe says so."""
    sidecar, app = pod.containers
    assert sidecar["name"] == "sidegate"
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["startupProbe"]["httpGet"] == {"path": "/readyz", "port": 7172}
    assert app["name"] == "app"
    assert sidecar in pod.spec["initContainers"]


def test_joining_may_take_as_long_as_the_sidecar_allows_it(pod: PodShape) -> None:
    """To resolve, to dial, to be sent buckets and what has changed since: as long as docs say."""
    probe = pod.container()["startupProbe"]
    looking = discovery.RESOLVE_WITHIN + discovery.SETTLE_WITHIN
    longest = looking + 2 * place.JOIN_AT_MOST / SECOND
    assert longest == 130
    assert probe["periodSeconds"] * probe["failureThreshold"] > longest


def test_the_sidecar_leaves_the_ring_when_the_pod_begins_to_end(pod: PodShape) -> None:
    sidecar = pod.container()
    assert sidecar["lifecycle"]["preStop"] == {"exec": {"command": ["sidegate", "leave"]}}
    drain = float(pod.env()["SIDEGATE_DRAIN"])
    assert pod.spec["terminationGracePeriodSeconds"] > drain


def test_a_sidecar_out_of_order_does_not_take_the_app_out_of_service(pod: PodShape) -> None:
    assert "readinessProbe" not in pod.container()


def test_a_slow_node_is_no_reason_to_end_a_sidecar(pod: PodShape) -> None:
    probe = pod.container()["livenessProbe"]
    assert probe["httpGet"]["path"] == "/healthz"
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 60


def test_the_app_reaches_the_socket_and_nothing_else(pod: PodShape) -> None:
    """No secret: it needs none there, and so can't lose it."""
    sidecar, app = (manifests.container(pod.spec, name) for name in ("sidegate", "app"))
    at = manifests.env(app)["SIDEGATE_SIDECAR"]
    assert at == f"unix:{manifests.env(sidecar)['SIDEGATE_SOCKET']}"
    mount, volume = pod.mounted("/run/sidegate", "app")
    assert mount["readOnly"] is True
    assert volume == pod.mounted("/run/sidegate")[1]
    assert "emptyDir" in volume
    assert {it["name"] for it in app["volumeMounts"]} == {"app", "sidegate-socket"}


def test_apps_may_run_as_any_user(pod: PodShape) -> None:
    assert pod.env()["SIDEGATE_SOCKET_MODE"] == "666"


def test_the_secret_is_a_read_only_directory_that_follows_changes(
    objects: list[Object], pod: PodShape
) -> None:
    """A single file of it, by subPath, would stay as it was."""
    mount, volume = pod.mounted("/etc/sidegate/secret")
    assert mount["readOnly"] is True
    assert "subPath" not in mount
    assert pod.env()["SIDEGATE_SECRET_FILE"] == "/etc/sidegate/secret/secret"
    secret = manifests.the(objects, "Secret", volume["secret"]["secretName"])
    items = {item["path"]: item["key"] for item in volume["secret"]["items"]}
    assert items.keys() == {"secret", "node-secret", "http-token"}
    assert {*items.values()} <= secret["data"].keys()
    for variable, path in (("NODE_SECRET", "node-secret"), ("HTTP_TOKEN", "http-token")):
        assert pod.env()[f"SIDEGATE_{variable}_FILE"] == f"/etc/sidegate/secret/{path}"


def test_the_seed_of_the_ring_is_for_the_sidecar_only(objects: list[Object], pod: PodShape) -> None:
    """An app has no use for it, and whoever knows it can make up keys for one node."""
    mount, volume = pod.mounted("/etc/sidegate/ring-seed")
    assert mount["readOnly"] is True
    file = pod.env()["SIDEGATE_RING_SEED_FILE"]
    assert file == "/etc/sidegate/ring-seed/ring-seed"
    seed = manifests.the(objects, "Secret", volume["secret"]["secretName"])
    (item,) = volume["secret"]["items"]
    assert item["key"] in seed["data"]
    assert item["path"] == "ring-seed"
    for other in pod.containers:
        mounts = [it["name"] for it in other.get("volumeMounts", [])]
        assert (volume["name"] in mounts) == (other["name"] == "sidegate")


@pytest.mark.parametrize(
    ("settings", "name", "key"),
    [
        ("secret.existingSecret=own", "own", "ring-seed"),
        ("ringSeed.existingSecret=own,ringSeed.existingKey=k", "own", "k"),
        ("secret.existingSecret=one,ringSeed.existingSecret=own", "own", "ring-seed"),
        ("secret.existingSecret=one,ringSeed.value=0123456789abcdef", RING_SEED, "ring-seed"),
        ("", RING_SEED, "ring-seed"),
    ],
)
def test_the_seed_of_the_ring_may_be_in_a_secret_of_ones_own(
    helm: Helm, settings: str, name: str, key: str
) -> None:
    """In that of the secret, unless another one is named; the chart then makes none."""
    objects = helm.template("--set", f"patch.name=web,{settings}")
    pod = manifests.the_pod(objects)
    _, volume = pod.mounted("/etc/sidegate/ring-seed")
    assert (volume["secret"]["secretName"], volume["secret"]["items"][0]["key"]) == (name, key)
    made = {it["metadata"]["name"] for it in manifests.of_kind(objects, "Secret")}
    assert (RING_SEED in made) == (name != "own")


def test_the_sidecar_is_named_after_its_pod(pod: PodShape) -> None:
    assert pod.env()["SIDEGATE_NAME"] == "$(metadata.name)"


def test_the_example_brings_its_own_ring(objects: list[Object], pod: PodShape) -> None:
    seeds = pod.env()["SIDEGATE_SEEDS"]
    name, _, rest = seeds.partition(".")
    assert rest == "shop.svc:7171"
    service = manifests.the(objects, "Service", name)
    assert manifests.selects(service["spec"]["selector"], pod.labels)


def test_a_chart_may_join_a_ring_that_another_release_has_installed(
    helm: Helm, example: Path
) -> None:
    """The example then installs nothing of it."""
    ring = helm.template("--set", "fullnameOverride=ring-of-shop")
    joined = helm.template("--set", "sidegate.join=ring-of-{{ .Release.Namespace }}", chart=example)
    charts = {it["metadata"]["labels"].get("helm.sh/chart", "") for it in joined}
    assert charts == {""}, "only the example's own objects"
    pod = manifests.the_pod(joined)
    seeds = pod.env()["SIDEGATE_SEEDS"]
    service = manifests.the(ring, "Service", seeds.partition(".")[0])
    assert manifests.selects(service["spec"]["selector"], pod.labels)
    _, volume = pod.mounted("/etc/sidegate/secret")
    assert manifests.the(ring, "Secret", volume["secret"]["secretName"])


def test_the_patch_puts_the_same_into_a_manifest(helm: Helm, pod: PodShape) -> None:
    patch = manifests.the(helm.template("--set", "patch.name=web"), "Deployment", "web")
    spec = patch["spec"]["template"]["spec"]
    assert spec["initContainers"] == pod.spec["initContainers"]
    ours = [it for it in pod.spec["volumes"] if it["name"].startswith("sidegate")]
    assert spec["volumes"] == ours
    assert patch["spec"]["template"]["metadata"]["labels"].items() <= pod.labels.items()


def test_who_joins_shows_the_certificate_of_the_ring(helm: Helm) -> None:
    issuer = ("--set", "tls.certManager.issuerRef.name=internal")
    ring = manifests.the(helm.template(*issuer), "Certificate")
    options = (*issuer, "--set", "join=limits-sidegate,patch.name=web")
    pod = manifests.the_pod(helm.template(*options))
    _, volume = pod.mounted("/etc/sidegate/tls")
    assert volume["secret"]["secretName"] == ring["spec"]["secretName"]


def test_the_patch_fits_the_kind(helm: Helm) -> None:
    """A CronJob has its pod one level further down."""
    patches = [
        manifests.the(helm.template("--set", f"patch.name=web,patch.kind={kind}"), kind, "web")
        for kind in ("StatefulSet", "CronJob")
    ]
    assert [it["apiVersion"] for it in patches] == ["apps/v1", "batch/v1"]
    assert patches[1]["spec"] == {"jobTemplate": {"spec": patches[0]["spec"]}}


def test_the_patch_brings_a_longer_time_to_end(helm: Helm) -> None:
    """Where Kubernetes' own is too short; else the app's stays as it is."""
    longer = ("--set", "drain=40,terminationGracePeriodSeconds=45")
    seconds = [
        manifests.the(helm.template("--set", "patch.name=web", *options), "Deployment")["spec"][
            "template"
        ]["spec"].get("terminationGracePeriodSeconds")
        for options in ((), longer)
    ]
    assert seconds == [None, 45]


def test_an_app_may_ask_over_tcp_where_the_chart_runs_the_sidecars(
    helm: Helm, example: Path, tmp_path: Path
) -> None:
    templates = _only(example, tmp_path / "copy", "client")
    (pod,) = manifests.pods(helm.template(chart=templates))
    installed = helm.template("--set", "mode=deployment")
    app = pod.container("app")
    host, _, port = manifests.env(app)["SIDEGATE_SIDECAR"].rpartition(":")
    service = manifests.the(installed, "Service", host.partition(".")[0])
    (link,) = [it for it in service["spec"]["ports"] if it["name"] == "link"]
    assert int(port) == link["port"]
    mount, volume = pod.mounted("/etc/sidegate/secret", "app")
    assert mount["readOnly"] is True
    assert manifests.the(installed, "Secret", volume["secret"]["secretName"])
    assert [it["path"] for it in volume["secret"]["items"]] == ["secret"]  # it can be no node
    whole = helm.template("--set", "sidegate.clusterDomain=cluster.local.", chart=templates)
    (pod,) = manifests.pods(whole)
    at = pod.env("app")["SIDEGATE_SIDECAR"]
    assert at == "limits-sidegate.shop.svc.cluster.local.:7171"


def _only(example: Path, to: Path, prefix: str) -> Path:
    """Return a copy of the example with nothing but one pod, which includes these templates."""
    copytree(example, to)
    for template in (to / "templates").rglob("*.*"):
        template.unlink()
    include = f'{{{{- include "sidegate.{prefix}.%s" .Subcharts.sidegate | nindent %d }}}}'
    (to / "values.yaml").write_text("sidegate: {join: limits-sidegate}")
    (to / "templates" / "pod.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\n"
        "spec:\n  containers:\n    - name: app\n      image: app:1\n"
        f"      env: {include % ('env', 8)}\n"
        f"      volumeMounts: {include % ('volumeMounts', 8)}\n"
        f"  volumes: {include % ('volumes', 4)}\n"
    )
    return to


def test_an_include_with_another_context_says_what_it_expects(
    helm: Helm, example: Path, tmp_path: Path
) -> None:
    """Such as the chart's own, or nothing, when a condition has switched the dependency off."""
    copy = copytree(example, tmp_path / "copy")
    app = copy / "templates" / "app.yaml"
    for wrong in ("$", ".Subcharts.limiter"):
        include = f'"sidegate.sidecar.env" {wrong} '
        right = (EXAMPLE / "templates" / "app.yaml").read_text()
        app.write_text(right.replace('"sidegate.sidecar.env" .Subcharts.sidegate ', include))
        said = helm.fails("template", "limits", copy, "--kube-version", NEWEST)
        assert "expected the context of the sidegate chart" in said


def test_the_example_is_valid_and_keeps_to_the_restricted_standard(
    helm: Helm, example: Path, objects: list[Object]
) -> None:
    helm.do("lint", example, "--strict", "--kube-version", NEWEST)
    for version in manifests.SUPPORTED:
        for it in objects:
            manifests.validate(it, version)
    for pod in manifests.pods(objects):
        assert manifests.unrestricted(pod) == [], pod.title
        assert pod.spec["automountServiceAccountToken"] is False


def test_the_example_scales_by_the_container_of_the_app_alone(
    objects: list[Object], pod: PodShape
) -> None:
    (metric,) = manifests.the(objects, "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metric["type"] == "ContainerResource"
    (app,) = pod.spec["containers"]
    assert metric["containerResource"]["container"] == app["name"]
    assert "cpu" in app["resources"]["requests"]


def test_the_examples_service_finds_its_pods_and_their_port(
    objects: list[Object], pod: PodShape
) -> None:
    service = manifests.the(objects, "Service", "limits-hello")
    assert manifests.selects(service["spec"]["selector"], pod.labels)
    ports = [it["containerPort"] for it in pod.container("app")["ports"]]
    assert [it["targetPort"] for it in service["spec"]["ports"]] == ports


def test_the_example_takes_the_chart_as_it_is_now() -> None:
    (dependency,) = yaml.safe_load((EXAMPLE / "Chart.yaml").read_text())["dependencies"]
    assert dependency["repository"] == "file://../../charts/sidegate"


# --- the name of the app


def _service(pod: PodShape) -> str:
    return pod.env("app")["SIDEGATE_SERVICE"]


def test_an_app_has_the_name_of_its_release(
    helm: Helm, example: Path, tmp_path: Path, pod: PodShape
) -> None:
    """By the templates for both ways to ask; so apps on one ring don't share what they count."""
    assert _service(pod) == RELEASE
    (over_tcp,) = manifests.pods(helm.template(chart=_only(example, tmp_path / "copy", "client")))
    assert _service(over_tcp) == RELEASE


def test_a_patched_app_has_the_name_of_what_is_patched(helm: Helm) -> None:
    """The release is the ring's there."""
    patched = manifests.the_pod(helm.template("--set", "patch.name=my-app"))
    assert _service(patched) == "my-app"
    long = "a" * 100
    patched = manifests.the_pod(helm.template("--set", f"patch.name={long}"))
    assert _service(patched) == "a" * 64


def test_apps_that_share_limits_are_given_one_name(helm: Helm, example: Path) -> None:
    """By a value, in the chart of an app and in a patch; also one that looks like a number."""
    for name in ("shop", "1e3", "'quoted'"):
        named = helm.template("--set-string", f"sidegate.serviceName={name}", chart=example)
        assert _service(manifests.the_pod(named)) == name
    options = ("--set", "patch.name=my-app,serviceName=shop")
    patched = manifests.the_pod(helm.template(*options))
    assert _service(patched) == "shop"


@pytest.mark.parametrize("name", ["a/b", "a:b", "a b", "ü", "x" * 65])
def test_a_name_that_no_app_may_have_is_refused(helm: Helm, name: str) -> None:
    """The middleware would refuse it too, when the app has started."""
    said = helm.fails(*rendering(), "--set-string", f"serviceName={name}")
    assert "serviceName" in said
