"""Who reaches whom: the network policy, Services and names, meshes, and who is scraped."""

from typing import Final

import pytest

from tests.support.deploy import manifests
from tests.support.deploy.helm import Helm, ci_values
from tests.support.deploy.manifests import Object, PodShape

RUN_BY_US: Final = ("daemonset", "deployment")  # modes whose pods are the chart's own
MODES: Final = ("sidecar", *RUN_BY_US)
ANY_RING: Final = {"matchExpressions": [{"key": "sidegate.io/ring", "operator": "Exists"}]}
NODES: Final = {"podSelector": ANY_RING}
EVERYONE: Final = {"everyone": True}


def policy(helm: Helm, *settings: str) -> Object:
    """Return the spec of the network policy."""
    words = [word for it in settings for word in ("--set", it)]
    return dict(manifests.the(helm.template(*words), "NetworkPolicy")["spec"])


def joined(helm: Helm) -> PodShape:
    """Return a pod of an app that has joined the ring."""
    options = ("--set", "join=limits-sidegate,role=leaf,patch.name=web")
    (pod,) = manifests.pods(helm.template(*options))
    return pod


def let_in(spec: Object, port: int) -> list[Object]:
    """Return who may come to a TCP port; EVERYONE is one who may."""
    return [
        peer
        for rule in spec["ingress"]
        if any(_covers(it, port) for it in rule["ports"])
        for peer in rule.get("from", [EVERYONE])
    ]


def _covers(entry: Object, port: int) -> bool:
    if entry.get("protocol", "TCP") != "TCP":
        return False
    first = int(entry["port"])
    return first <= port <= int(entry.get("endPort", first))


@pytest.mark.parametrize("mode", MODES)
def test_no_stranger_comes_to_the_http_port(helm: Helm, mode: str) -> None:
    """In all modes, unless it is switched off; but Prometheus, by the label of its charts."""
    spec = policy(helm, f"mode={mode}")
    test, prometheus = let_in(spec, 7172)
    assert test["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "sidegate-test"
    assert prometheus == {
        "namespaceSelector": {},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
    }
    off = helm.template("--set", f"mode={mode},networkPolicy.enabled=false")
    assert manifests.of_kind(off, "NetworkPolicy") == []


@pytest.mark.parametrize("mode", MODES)
def test_who_may_read_metrics_can_be_named(helm: Helm, mode: str) -> None:
    agents = "networkPolicy.metricsFrom[0].podSelector.matchLabels.app=agent"
    _, agent = let_in(policy(helm, f"mode={mode}", agents), 7172)
    assert agent == {"podSelector": {"matchLabels": {"app": "agent"}}}
    assert len(let_in(policy(helm, f"mode={mode}", "networkPolicy.metricsFrom=null"), 7172)) == 1


@pytest.mark.parametrize(
    ("link", "http"), [(7171, 7172), (7172, 7171), (80, 443), (1, 65535), (65535, 65534)]
)
def test_beside_apps_all_other_ports_stay_open(helm: Helm, link: int, http: int) -> None:
    """Those of the apps, whatever they are, and no other than the sidecars' own are closed."""
    spec = policy(helm, f"ports.link={link},ports.http={http}")
    ours = {link, http}
    near = {it + by for it in (1, 80, 8000, 65535, *ours) for by in (-1, 0, 1)}
    for port in near - ours - {0, 65536}:
        assert EVERYONE in let_in(spec, port), port
    for port in ours:
        assert EVERYONE not in let_in(spec, port), port
    (apps,) = [rule["ports"] for rule in spec["ingress"] if "from" not in rule]
    assert {"protocol": "UDP"} in apps


def test_beside_apps_a_policy_of_theirs_may_say_which_ports_are_open(helm: Helm) -> None:
    """By this one or by another; then this one opens no port that is not named."""
    named = policy(helm, "networkPolicy.appPorts={8000,9000}")
    open_to_all = [port for port in (80, 8000, 9000, 7172) if EVERYONE in let_in(named, port)]
    assert open_to_all == [8000, 9000]
    elsewhere = policy(helm, "networkPolicy.appPortsElsewhere=true")
    assert all("from" in rule for rule in elsewhere["ingress"])


@pytest.mark.parametrize("mode", MODES)
def test_only_nodes_of_a_ring_and_apps_come_to_the_link(helm: Helm, mode: str) -> None:
    """A ring that takes the place of this one, in another mode, has another name."""
    peers = let_in(policy(helm, f"mode={mode}"), 7171)
    assert peers == ([NODES] if mode == "sidecar" else [NODES, {"podSelector": {}}])


def test_nodes_of_other_namespaces_come_to_the_link_where_a_seed_is_named(helm: Helm) -> None:
    peers = let_in(policy(helm, "seeds={sidegate-peers.other.svc:7171}"), 7171)
    assert peers == [NODES, {**NODES, "namespaceSelector": {}}]


@pytest.mark.parametrize("mode", RUN_BY_US)
def test_apps_that_join_keep_their_ports_and_are_let_in(helm: Helm, mode: str) -> None:
    """A policy that selected their pods as well would shut all ports but two of them."""
    spec, app = policy(helm, f"mode={mode}"), joined(helm)
    assert not manifests.selects(spec["podSelector"]["matchLabels"], app.labels)
    assert "sidegate.io/ring" in app.labels
    assert NODES in let_in(spec, 7171)


@pytest.mark.parametrize("mode", RUN_BY_US)
def test_apps_may_ask_over_http_when_that_is_wanted(helm: Helm, mode: str) -> None:
    apps: Object = {"podSelector": {}}
    assert apps not in let_in(policy(helm, f"mode={mode}"), 7172)
    assert apps in let_in(policy(helm, f"mode={mode}", "networkPolicy.appsAskHttp=true"), 7172)


@pytest.mark.parametrize("mode", RUN_BY_US)
def test_apps_ask_as_clients_of_redis_when_that_is_wanted(helm: Helm, mode: str) -> None:
    """Who may ask over TCP may do it there, at a port of the Service."""
    objects = helm.template("--set", f"mode={mode},ports.resp=7174")
    assert let_in(manifests.the(objects, "NetworkPolicy")["spec"], 7174) == [{"podSelector": {}}]
    services = manifests.of_kind(objects, "Service")
    ports = [it for each in services for it in each["spec"]["ports"] if it["name"] == "resp"]
    assert [(it["port"], it["appProtocol"]) for it in ports] == [(7174, "redis")]
    kind = {"daemonset": "DaemonSet", "deployment": "Deployment"}[mode]
    container = manifests.the_pod(objects, kind).container()
    assert {"name": "sidegate-resp", "containerPort": 7174} in container["ports"]


def test_beside_an_app_only_the_pod_itself_asks_as_a_client_of_redis(helm: Helm) -> None:
    objects = helm.template("--set", "ports.resp=7174,listenOn=::,patch.name=web")
    assert manifests.the_pod(objects).env()["SIDEGATE_RESP"] == "127.0.0.1:7174"


@pytest.mark.parametrize("mode", RUN_BY_US)
def test_proxies_ask_when_that_is_wanted(helm: Helm, mode: str) -> None:
    """At a port of the Service, those that are let in; whom it believes is said beside it."""
    peers = "networkPolicy.proxies[0].podSelector.matchLabels.app=nginx"
    wanted = f"mode={mode},ports.auth=7175,rules.configMap=r,authProxies={{10.9.0.0/16}},{peers}"
    objects = helm.template("--set", wanted)
    let = let_in(manifests.the(objects, "NetworkPolicy")["spec"], 7175)
    assert let == [{"podSelector": {"matchLabels": {"app": "nginx"}}}]
    services = manifests.of_kind(objects, "Service")
    ports = [it for each in services for it in each["spec"]["ports"] if it["name"] == "auth"]
    assert [(it["port"], it["appProtocol"]) for it in ports] == [(7175, "http")]
    kind = {"daemonset": "DaemonSet", "deployment": "Deployment"}[mode]
    pod = manifests.the_pod(objects, kind)
    assert {"name": "sidegate-auth", "containerPort": 7175} in pod.container()["ports"]
    assert pod.env()["SIDEGATE_AUTH_PROXIES"] == "10.9.0.0/16"


def test_beside_an_app_only_a_proxy_in_the_pod_asks(helm: Helm) -> None:
    wanted = "ports.auth=7175,rules.configMap=r,listenOn=::,patch.name=web"
    env = manifests.the_pod(helm.template("--set", wanted)).env()
    assert env["SIDEGATE_AUTH"] == "127.0.0.1:7175"
    assert "SIDEGATE_AUTH_PROXIES" not in env


def test_a_pod_monitor_finds_the_named_port_of_the_sidecars(helm: Helm) -> None:
    objects = helm.template("--values", ci_values()["deployment-full"])
    monitor = manifests.the(objects, "PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    pod = manifests.the_pod(objects)
    ports = pod.container()["ports"]
    assert {"name": endpoint["port"], "containerPort": 7272} in ports
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_a_ring_in_several_namespaces_lets_its_pods_in_from_there(helm: Helm) -> None:
    objects = helm.template("--values", ci_values()["injection"])
    elsewhere = {**NODES, "namespaceSelector": {"matchLabels": {"team": "shop"}}}
    assert let_in(manifests.the(objects, "NetworkPolicy")["spec"], 7171) == [NODES, elsewhere]


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
    pod = manifests.the_pod(objects)
    environment = pod.env()
    assert environment["POD_NAME"] == "$(metadata.name)"
    assert environment["POD_NAMESPACE"] == "$(metadata.namespace)"
    assert environment["SIDEGATE_NAME"] == "$(POD_NAME).$(POD_NAMESPACE)"
    # Kubernetes puts in what an entry refers to only when that comes before it.
    assert list(environment)[:3] == ["POD_NAME", "POD_NAMESPACE", "SIDEGATE_NAME"]


@pytest.mark.parametrize("mode", MODES)
def test_a_mesh_is_told_that_the_link_is_no_http(helm: Helm, mode: str) -> None:
    services = manifests.of_kind(helm.template("--set", f"mode={mode}"), "Service")
    links = [it for each in services for it in each["spec"]["ports"] if it["name"] == "link"]
    assert [it["appProtocol"] for it in links] == ["tcp"] * len(services)
