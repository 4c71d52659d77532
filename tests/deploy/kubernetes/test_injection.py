"""Injection by label, on a Kubernetes API server: which pods get a sidecar, and what they get."""

from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.deploy.kubernetes.apiserver import api_server
from tests.deploy.kubernetes.cluster_objects import ApiServer, Object, eventually
from tests.deploy.kubernetes.releases import Release, app, app_pod
from tests.support.deploy.helm import BOTH, Helm, find, rendering
from tests.support.deploy.manifests import container, of_kind, the

ENABLED: Final = ("--set", "injection.enabled=true")
RESTRICTED: Final = {"pod-security.kubernetes.io/enforce": "restricted"}
GROUP: Final = "admissionregistration.k8s.io"
ANY_CLUSTER: Final = ("--api-versions", f"{GROUP}/v1/MutatingWebhookConfiguration")
BETA: Final = ("--api-versions", f"{GROUP}/v1beta1/MutatingAdmissionPolicy")
STABLE: Final = ("--api-versions", f"{GROUP}/v1/MutatingAdmissionPolicy")
SOCKET: Final = {"name": "SIDEGATE_SIDECAR", "value": "unix:/run/sidegate/sidegate.sock"}
LABEL: Final = "metadata.labels['app.kubernetes.io/name']"
SERVICE: Final = {
    "name": "SIDEGATE_SERVICE",
    "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": LABEL}},
}
SOCKET_FOLDER: Final = {"name": "sidegate-socket", "mountPath": "/run/sidegate", "readOnly": True}
AWKWARD: Final = r"""
imagePullSecrets: [{name: registry}]
budget: 0.0625
maxMemory: 250000000
drain: 40.5
terminationGracePeriodSeconds: 45
tls: {existingSecret: certificate}
extraEnv:
  - {name: TEXT, value: "\"quoted\" 'too' \\ back, <&> {{ }} $(SIDEGATE_NAME)\n\tü 漢 🙂 \u2028"}
  - {name: NONE, value: ""}
  - name: MEMORY
    valueFrom: {resourceFieldRef: {containerName: sidegate, resource: limits.memory, divisor: 1Mi}}
extraVolumes:
  - name: state
    projected: {sources: [{downwardAPI: {items: []}}], defaultMode: 0400}
extraVolumeMounts: [{name: state, mountPath: /state}]
resources: {limits: {memory: 1Gi}}
probes: {liveness: null}
securityContext: {capabilities: {add: []}, readOnlyRootFilesystem: false}
"""


@pytest.fixture(scope="module")
def server() -> Generator[ApiServer]:
    """Give an API server."""
    with api_server() as running:
        yield running


@pytest.fixture(scope="module", params=BOTH)
def helm(
    request: pytest.FixtureRequest, server: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> Helm:
    """Give each Helm, pointed at the API server."""
    return Helm(find(request.param), tmp_path_factory.mktemp(request.param), server.kubeconfig)


@pytest.fixture(scope="module", params=BOTH)
def offline(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Give each Helm, with no cluster: what it renders needs none."""
    return Helm(find(request.param), tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def release(helm: Helm, server: ApiServer) -> Release:
    """Give a release that injects."""
    return injecting(Release(helm, server, server.create_namespace()))


def injecting(release: Release, *options: str | Path) -> Release:
    """Install a release that injects, and wait until it does."""
    release.do("install", *ENABLED, *options)
    eventually(lambda: has_sidecar(release.create_pod(labelled())))
    return release


def labelled(template: Object | None = None, label: str = "true", **annotations: str) -> Object:
    """Return the template of a pod that asks for a sidecar."""
    template = template or app_pod()
    labels = {**template["metadata"]["labels"], "sidegate.io/inject": label}
    named = {f"sidegate.io/{key}": text for key, text in annotations.items()}
    return {"metadata": {"labels": labels, "annotations": named}, "spec": template["spec"]}


def has_sidecar(pod: Object) -> bool:
    """Tell whether a pod has ours."""
    return any(each["name"] == "sidegate" for each in pod["spec"].get("initContainers", []))


@pytest.mark.parametrize("values", ["{}", AWKWARD], ids=["as it comes", "awkward"])
def test_a_pod_with_the_label_gets_what_the_templates_for_charts_give(
    helm: Helm, server: ApiServer, tmp_path: Path, values: str
) -> None:
    """Down to each probe and mount, whatever the values hold; and Pod Security takes it."""
    file = tmp_path / "values.yaml"
    file.write_text(values, "utf-8")
    namespace = server.create_namespace(**RESTRICTED)
    options = ("--values", file, "--set", "serviceName=app")
    release = injecting(Release(helm, server, namespace), *options)
    by_label = release.create_pod(labelled())
    by_hand = release.pod_by_hand(app_pod(), *options)
    # A chart of an app has these of its own.
    pull_secrets = by_label["spec"].pop("imagePullSecrets", [])
    assert pull_secrets == yaml.safe_load(values).get("imagePullSecrets", [])
    assert by_label["spec"] == by_hand["spec"]
    assert by_label["metadata"]["labels"].items() >= by_hand["metadata"]["labels"].items()


def test_the_sidecar_starts_before_what_the_app_starts_first(release: Release) -> None:
    pod = release.create_pod(labelled(app_pod(initContainers=[app(name="migrate")])))
    assert [each["name"] for each in pod["spec"]["initContainers"]] == ["sidegate", "migrate"]


@pytest.mark.parametrize(
    "pod",
    [app_pod(), labelled(label="false"), labelled(app_pod(hostNetwork=True))],
    ids=["without the label", "with another value", "on the network of its node"],
)
def test_other_pods_stay_as_they_are(release: Release, pod: Object) -> None:
    stored = release.create_pod(pod)
    assert "sidegate" not in str(stored["spec"])
    assert stored["metadata"]["labels"] == pod["metadata"]["labels"]


def test_pods_in_other_namespaces_stay_as_they_are(release: Release) -> None:
    namespace = release.server.create_namespace()
    assert "sidegate" not in str(release.server.create_pod(namespace, labelled())["spec"])


def test_a_selector_of_namespaces_takes_the_place_of_the_release_s_own(
    helm: Helm, server: ApiServer
) -> None:
    own, other = server.create_namespace(), server.create_namespace(limits="yes")
    selected = ("--set-string", "injection.namespaceSelector.matchLabels.limits=yes")
    Release(helm, server, own).do("install", *ENABLED, *selected)
    eventually(lambda: has_sidecar(server.create_pod(other, labelled())))
    assert not has_sidecar(server.create_pod(own, labelled()))


def test_a_pod_that_has_a_sidecar_stays_as_it_is(release: Release) -> None:
    first = release.create_pod(labelled())
    assert has_sidecar(first)
    second = release.create_pod(labelled({**app_pod(), "spec": first["spec"]}))
    assert second["spec"] == first["spec"]


def test_the_label_may_name_the_ring(release: Release) -> None:
    assert has_sidecar(release.create_pod(labelled(label="limits-sidegate")))
    assert not has_sidecar(release.create_pod(labelled(label="another")))


def test_an_annotation_names_the_containers_that_ask(release: Release) -> None:
    names = ("web", "proxy", "worker")
    containers = [app(name=name, ports=[{"containerPort": 8000}]) for name in names]
    stored = release.create_pod(labelled(app_pod(*containers), containers="web, worker"))
    askers = [each["name"] for each in stored["spec"]["containers"] if "env" in each]
    assert has_sidecar(stored)
    assert askers == ["web", "worker"]
    assert "volumeMounts" not in container(stored["spec"], "proxy")


def test_what_a_container_says_itself_stays(release: Release) -> None:
    """Its own SIDEGATE_SIDECAR, and what it mounts where the socket would be; not its name."""
    env = [{"name": "SIDEGATE_SIDECAR", "value": "10.0.0.1:7171"}, {"name": "DEBUG", "value": "1"}]
    mounts = [{"name": "mine", "mountPath": "/run/sidegate"}]
    own = app_pod(
        app(name="own", env=env, volumeMounts=mounts),
        app(name="more", env=env[1:], volumeMounts=[{"name": "mine", "mountPath": "/data"}]),
        volumes=[{"name": "mine", "emptyDir": {}}],
    )
    spec = release.create_pod(labelled(own))["spec"]
    assert container(spec, "own")["env"] == [*env, SERVICE]
    assert container(spec, "own")["volumeMounts"] == mounts
    assert container(spec, "more")["env"] == [*env[1:], SOCKET, SERVICE]
    assert container(spec, "more")["volumeMounts"][1:] == [SOCKET_FOLDER]


def test_a_pod_that_has_longer_to_end_keeps_it(helm: Helm, server: ApiServer) -> None:
    longer = ("--set", "drain=40,terminationGracePeriodSeconds=45")
    release = injecting(Release(helm, server, server.create_namespace()), *longer)
    pods = [app_pod(), app_pod(terminationGracePeriodSeconds=90)]
    stored = [release.create_pod(labelled(it))["spec"] for it in pods]
    assert [it["terminationGracePeriodSeconds"] for it in stored] == [45, 90]


def test_an_uninstalled_release_injects_no_more(helm: Helm, server: ApiServer) -> None:
    release = injecting(Release(helm, server, server.create_namespace()))
    release.uninstall()
    eventually(lambda: not has_sidecar(release.create_pod(labelled())))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--set", "mode=deployment"), "injection.enabled true: expected mode sidecar"),
        (("--set", "join=limits"), 'not with join "limits"'),
        (ANY_CLUSTER, "expected a cluster with the API MutatingAdmissionPolicy"),
    ],
    ids=["another mode", "nothing to install", "a cluster without the API"],
)
def test_where_it_cannot_be_the_chart_says_so(
    offline: Helm, options: tuple[str, ...], complaint: str
) -> None:
    assert complaint in offline.fails(*rendering(), *ENABLED, *options)


@pytest.mark.parametrize(
    ("options", "version"),
    [
        ((), f"{GROUP}/v1"),
        ((*ANY_CLUSTER, *BETA), f"{GROUP}/v1beta1"),
        ((*ANY_CLUSTER, *BETA, *STABLE), f"{GROUP}/v1"),
    ],
    ids=["unknown", "beta only", "both"],
)
def test_the_policy_is_of_the_newest_version_that_the_cluster_has(
    offline: Helm, options: tuple[str, ...], version: str
) -> None:
    objects = offline.template(*ENABLED, *options)
    kinds = ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")
    assert [the(objects, kind)["apiVersion"] for kind in kinds] == [version] * 2


def test_without_the_value_there_is_no_policy(offline: Helm) -> None:
    assert not of_kind(offline.template(*STABLE), "MutatingAdmissionPolicy")


def test_an_injected_app_is_named_by_a_label_of_its_own(offline: Helm) -> None:
    """The release is the ring's. A value takes another label, or the name itself."""

    def entry(*options: str) -> str:
        policy = the(offline.template(*ENABLED, *options), "MutatingAdmissionPolicy")
        text = str(policy["spec"]["mutations"])
        assert text.count("SIDEGATE_SERVICE") == 2  # it, and what keeps a container's own
        return text

    by_label, by_value = entry(), entry("--set", "serviceName=shop")
    assert "metadata.labels['app.kubernetes.io/name']" in by_label.replace("\\'", "'")
    other = entry("--set", "injection.serviceLabel=app")
    assert "metadata.labels['app']" in other.replace("\\'", "'")
    assert '{"name": "SIDEGATE_SERVICE", "value": "shop"}' in by_value
    assert "metadata.labels['" not in by_value.replace("\\'", "'")
