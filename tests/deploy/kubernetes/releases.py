"""A release of a chart on an API server, and the pods that its controllers would make."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.kubernetes.cluster_objects import ApiServer, Object
from tests.support.deploy.helm import CHART, NEWEST, RELEASE, Helm

SECURE: Final[Any] = {  # what the Pod Security Standard "restricted" asks of an app
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def app(**fields: Any) -> Object:
    """Return a container of an app; the fields are added to it."""
    return {"name": "app", "image": "app:1", "securityContext": SECURE, **fields}


def app_pod(*containers: Object, **fields: Any) -> Object:
    """Return the template of a pod with these containers, or one app; the fields go to its spec."""
    spec = {"containers": list(containers or [app()]), "automountServiceAccountToken": False}
    return {"metadata": {"labels": {"app": "app"}}, "spec": {**spec, **fields}}


@dataclass(frozen=True)
class Release:
    """A release of ours, named `limits`, in a namespace of its own."""

    helm: Helm
    server: ApiServer
    namespace: str

    def do(self, command: str, *options: str | Path, chart: Path = CHART) -> str:
        """Install or upgrade it, or render it, which all must succeed."""
        return self.helm.do(command, RELEASE, chart, "--namespace", self.namespace, *options)

    def uninstall(self) -> None:
        """Uninstall it."""
        self.helm.do("uninstall", RELEASE, "--namespace", self.namespace)

    def objects(self, what: str = "manifest") -> list[Object]:
        """Return what Helm remembers to have installed, or with "hooks" what its tests would."""
        words = ("get", what, RELEASE, "--namespace", self.namespace)
        return [each for each in yaml.safe_load_all(self.helm.do(*words)) if each]

    def stored(self, objects: list[Object]) -> set[str]:
        """Return kinds and names of those that are in the cluster."""
        return {
            f"{each['kind']}/{each['metadata']['name']}"
            for each in objects
            if self.server.has(self.server.path(each, self.namespace))
        }

    def secret(self, name: str = f"{RELEASE}-sidegate") -> dict[str, str]:
        """Return what is in a Secret that the chart made: that of the secret, or another one."""
        secret = self.server.get(f"/api/v1/namespaces/{self.namespace}/secrets/{name}")
        return dict(secret["data"])

    def create_pod(self, template: Object) -> Object:
        """Create a pod in its namespace; return what was stored."""
        return self.server.create_pod(self.namespace, template)

    def pods(self) -> Iterator[Object]:
        """Create what a controller would make of its objects, and its tests; yield each."""
        for each in [*self.objects(), *self.objects("hooks")]:
            if each["kind"] in {"Deployment", "DaemonSet"}:
                stored = self.server.get(self.server.path(each, self.namespace))
                yield self.create_pod(stored["spec"]["template"])
            elif each["kind"] == "Pod":
                yield self.create_pod(each)

    def pod_by_hand(self, template: Object, *options: str | Path) -> Object:
        """Create a pod whose Deployment was patched with what the chart's patch.yaml gives."""
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        spec = {"selector": {"matchLabels": template["metadata"]["labels"]}, "template": template}
        self.server.create(path, {"metadata": {"name": "app"}, "spec": spec})
        wanted = ("--set", "patch.name=app,patch.container=app", "--kube-version", NEWEST)
        rendered = self.do("template", *options, *wanted, "--show-only", "templates/patch.yaml")
        patched = self.server.patch(f"{path}/app", yaml.safe_load(rendered))
        return self.create_pod(patched["spec"]["template"])
