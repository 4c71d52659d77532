"""Envoy's rate limit service in the chart: off, and what is there where it is switched on."""

from pathlib import Path
from typing import Final

import pytest

from sidegate_sidecar.ratelimit_yaml.ratelimit_yaml import read_ratelimit_yaml
from tests.support.deploy import manifests
from tests.support.deploy.helm import Helm, ci_values
from tests.support.deploy.manifests import Object

ON: Final = ("--set", "envoy.enabled=true")
LIMITS: Final = ("--set-string", "envoy.limits.limits\\.yaml=domain: edge")


def sidecars(objects: list[Object]) -> list[Object]:
    """Return the containers that serve, of all pods."""
    return [
        container
        for pod in manifests.pods(objects)
        for container in pod.containers
        if container["name"] == "sidegate"
    ]


def test_it_is_off(helm: Helm) -> None:
    """No port, no variable, no file."""
    for mode in ("sidecar", "deployment"):
        objects = helm.template("--set", f"mode={mode},patch.name=app")
        assert "grpc" not in str(objects).lower()
        assert not manifests.of_kind(objects, "ConfigMap")


@pytest.mark.parametrize(
    ("mode", "address"),
    [("sidecar", "127.0.0.1:7173"), ("deployment", "0.0.0.0:7173"), ("daemonset", "0.0.0.0:7173")],
)
def test_beside_an_app_it_is_for_the_pod_alone(helm: Helm, mode: str, address: str) -> None:
    """Where the chart runs the sidecars itself others reach it, by the Service and the policy."""
    patch = ",patch.name=app" if mode == "sidecar" else ""
    objects = helm.template(*ON, *LIMITS, "--set", f"mode={mode}{patch}")
    found = sidecars(objects)
    assert found
    for container in found:
        assert manifests.env(container)["SIDEGATE_GRPC"] == address
        assert {"name": "sidegate-grpc", "containerPort": 7173} in container["ports"]
    ingress = manifests.the(objects, "NetworkPolicy")["spec"]["ingress"]
    open_to = [rule["from"] for rule in ingress if rule["ports"] == [{"port": 7173}]]
    assert open_to == ([] if mode == "sidecar" else [[{"podSelector": {}}]])
    ports = [
        port["port"]
        for service in manifests.of_kind(objects, "Service")
        for port in service["spec"]["ports"]
        if port["name"] == "grpc"
    ]
    assert ports == ([] if mode == "sidecar" else [7173])


def test_the_files_are_mounted_under_their_names(helm: Helm) -> None:
    """What is in the values is in the ConfigMap, as it stands."""
    objects = helm.template("--values", ci_values()["deployment-full"])
    config = manifests.the(objects, "ConfigMap", "limits-ratelimit")
    found = {name: read_ratelimit_yaml(text.encode()) for name, text in config["data"].items()}
    assert {name: it.name for name, it in found.items()} == {
        "edge.yaml": "edge",
        "shop.yaml": "shop",
    }
    (container,) = sidecars(objects)
    paths = manifests.env(container)["SIDEGATE_RATELIMIT_YAML"].split(",")
    mounts = {it["name"]: it["mountPath"] for it in container["volumeMounts"]}
    assert {str(Path(it).parent) for it in paths} == {mounts["sidegate-ratelimit"]}
    assert [Path(it).name for it in paths] == [*config["data"]]


def test_a_configmap_of_ones_own_is_taken(helm: Helm) -> None:
    """By the keys that are named; none is made then."""
    own = "envoy.existingConfigMap=mine,envoy.existingKeys={a.yaml,b.yaml}"
    objects = helm.template(*ON, "--set", f"mode=deployment,{own}")
    assert not manifests.of_kind(objects, "ConfigMap")
    (container,) = sidecars(objects)
    assert manifests.env(container)["SIDEGATE_RATELIMIT_YAML"] == (
        "/etc/sidegate/ratelimit/a.yaml,/etc/sidegate/ratelimit/b.yaml"
    )
    assert "'configMap': {'name': 'mine'}" in str(objects)


def test_without_limits_of_its_own_it_goes_by_the_rules(helm: Helm) -> None:
    """There is no ConfigMap for it then, and no variable that names files."""
    objects = helm.template(*ON, "--set", "mode=deployment,rules.configMap=rules")
    assert not manifests.of_kind(objects, "ConfigMap")
    (container,) = sidecars(objects)
    variables = manifests.env(container)
    assert variables["SIDEGATE_RULES"] == "/etc/sidegate/rules/rules.yaml"
    assert "SIDEGATE_GRPC" in variables
    assert "SIDEGATE_RATELIMIT_YAML" not in variables
    assert "sidegate-ratelimit" not in str(objects)
