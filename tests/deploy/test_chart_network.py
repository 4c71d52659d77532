"""Who reaches whom: the network policy, Services and names, meshes, and who is scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.deploy import manifests
from tests.deploy.helm import BOTH, Helm, ci_values, find

if TYPE_CHECKING:
    from tests.deploy.manifests import Object, PodShape

RUN_BY_US: Final = ("daemonset", "deployment")  # modes whose pods are the chart's own
RING: Final = {"podSelector": {"matchLabels": {"sidegate.io/ring": "limits-sidegate"}}}


@pytest.fixture(scope="module", params=BOTH)
def helm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Give each Helm."""
    return Helm(find(request.param), tmp_path_factory.mktemp(request.param))


def policy(helm: Helm, *settings: str) -> Object:
    """Return the spec of the network policy."""
    words = [word for it in ("networkPolicy.enabled=true", *settings) for word in ("--set", it)]
    return dict(manifests.the(helm.template(*words), "NetworkPolicy")["spec"])


def joined(helm: Helm) -> PodShape:
    """Return a pod of an app that has joined the ring."""
    options = ("--set", "join=limits-sidegate,role=leaf,patch.name=web")
    (pod,) = manifests.pods(helm.template(*options))
    return pod


def let_in(spec: Object, port: int) -> list[Object]:
    """Return who may come to a port."""
    rules = [it for it in spec["ingress"] if {"port": port} in it.get("ports", [])]
    return [peer for rule in rules for peer in rule["from"]]


@pytest.mark.parametrize("mode", RUN_BY_US)
def test_apps_that_join_keep_their_ports_and_are_let_in(helm: Helm, mode: str) -> None:
    """A policy that selected their pods as well would shut all ports but two of them."""
    spec, app = policy(helm, f"mode={mode}"), joined(helm)
    assert not manifests.selects(spec["podSelector"]["matchLabels"], app.labels)
    assert manifests.selects(RING["podSelector"]["matchLabels"], app.labels)
    assert RING in let_in(spec, 7171)


@pytest.mark.parametrize("mode", RUN_BY_US)
def test_apps_may_ask_over_http_when_that_is_wanted(helm: Helm, mode: str) -> None:
    apps: Object = {"podSelector": {}}
    assert apps not in let_in(policy(helm, f"mode={mode}"), 7172)
    assert apps in let_in(policy(helm, f"mode={mode}", "networkPolicy.appsAskHttp=true"), 7172)


def test_a_network_policy_leaves_the_ports_of_the_apps_open(helm: Helm) -> None:
    policy = manifests.the(helm.template("--values", ci_values()["sidecar-tls"]), "NetworkPolicy")
    rules = policy["spec"]["ingress"]
    open_to_all = [it["port"] for rule in rules if "from" not in rule for it in rule["ports"]]
    assert open_to_all == [8000]
    (links,) = [rule for rule in rules if {"port": 7171} in rule["ports"]]
    ring = {"podSelector": {"matchLabels": {"sidegate.io/ring": "limits-sidegate"}}}
    assert links["from"] == [ring]


def test_a_pod_monitor_finds_the_named_port_of_the_sidecars(helm: Helm) -> None:
    objects = helm.template("--values", ci_values()["deployment-full"])
    monitor = manifests.the(objects, "PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (pod,) = manifests.pods(manifests.of_kind(objects, "Deployment"))
    ports = manifests.container(pod.spec, "sidegate")["ports"]
    assert {"name": endpoint["port"], "containerPort": 7272} in ports
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_a_ring_in_several_namespaces_lets_its_pods_in_from_there(helm: Helm) -> None:
    objects = helm.template("--values", ci_values()["injection"])
    elsewhere = {**RING, "namespaceSelector": {"matchLabels": {"team": "shop"}}}
    assert let_in(manifests.the(objects, "NetworkPolicy")["spec"], 7171) == [RING, elsewhere]


def test_a_ring_in_several_namespaces_is_scraped_there_as_one(helm: Helm) -> None:
    """With one `namespace`, by which the alerts tell rings apart, and no `instance` twice."""
    objects = helm.template("--values", ci_values()["injection"])
    monitor = manifests.the(objects, "PodMonitor")["spec"]
    assert monitor["namespaceSelector"] == {"any": True}
    instance, namespace = monitor["podMetricsEndpoints"][0]["relabelings"]
    pod_and_namespace = ["__meta_kubernetes_pod_name", "__meta_kubernetes_namespace"]
    assert instance["sourceLabels"] == pod_and_namespace
    assert namespace == {"targetLabel": "namespace", "replacement": "shop"}


def test_namespaces_to_scrape_may_be_named(helm: Helm) -> None:
    settings = "podMonitor.enabled=true,podMonitor.namespaces={shop,stock}"
    monitor = manifests.the(helm.template("--set", settings), "PodMonitor")["spec"]
    assert monitor["namespaceSelector"] == {"matchNames": ["shop", "stock"]}


@pytest.mark.parametrize(
    "settings",
    [
        "injection.enabled=true,injection.namespaceSelector.matchLabels.team=shop",
        "seeds={sidegate.other.svc:7171}",
    ],
    ids=["injected there", "with seeds elsewhere"],
)
def test_a_ring_in_several_namespaces_names_its_nodes_by_both(helm: Helm, settings: str) -> None:
    """Each may have a StatefulSet, and so a pod, of the same name."""
    objects = helm.template("--set", settings, "--set", "patch.name=web")
    (pod,) = manifests.pods(manifests.of_kind(objects, "Deployment"))
    environment = manifests.env(manifests.container(pod.spec, "sidegate"))
    assert environment["POD_NAME"] == "$(metadata.name)"
    assert environment["POD_NAMESPACE"] == "$(metadata.namespace)"
    assert environment["SIDEGATE_NAME"] == "$(POD_NAME).$(POD_NAMESPACE)"
    # Kubernetes puts in what an entry refers to only when that comes before it.
    assert list(environment)[:3] == ["POD_NAME", "POD_NAMESPACE", "SIDEGATE_NAME"]


@pytest.mark.parametrize("mode", ["sidecar", *RUN_BY_US])
def test_a_mesh_is_told_that_the_link_is_no_http(helm: Helm, mode: str) -> None:
    services = manifests.of_kind(helm.template("--set", f"mode={mode}"), "Service")
    links = [it for each in services for it in each["spec"]["ports"] if it["name"] == "link"]
    assert [it["appProtocol"] for it in links] == ["tcp"] * len(services)
