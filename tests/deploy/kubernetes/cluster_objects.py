"""What tests ask of a Kubernetes API server."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

Object = dict[str, Any]

INFORMER_LAG: Final = 10.0  # seconds until what was stored is seen by admission: one is usual


@dataclass(frozen=True)
class ApiServer:
    """A running API server: its client, for whom all is allowed, and a file that tells helm."""

    client: httpx2.Client
    kubeconfig: Path

    def get(self, path: str) -> Object:
        """Return an object or a list, which must be there."""
        return _accepted(self.client.get(path))

    def has(self, path: str) -> bool:
        """Tell whether an object or a list is there."""
        return self.client.get(path).is_success

    def path(self, thing: Object, namespace: str) -> str:
        """Return where an object is, by what the server says about its kind."""
        version = thing["apiVersion"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        # Subresources, such as deployments/status, are of the same kind.
        (kind,) = [
            each
            for each in self.get(root)["resources"]
            if each["kind"] == thing["kind"] and "/" not in each["name"]
        ]
        place = f"/namespaces/{namespace}" if kind["namespaced"] else ""
        return f"{root}{place}/{kind['name']}/{thing['metadata']['name']}"

    def create(self, path: str, body: Object) -> Object:
        """Create an object in a collection, which must be accepted; return what was stored."""
        return _accepted(self.client.post(path, json=body, params={"fieldValidation": "Strict"}))

    def patch(self, path: str, body: Object) -> Object:
        """Patch an object as `kubectl patch` does; return what was stored."""
        headers = {"Content-Type": "application/strategic-merge-patch+json"}
        return _accepted(self.client.patch(path, json=body, headers=headers))

    def create_pod(self, namespace: str, template: Object) -> Object:
        """Create a pod as a controller does, from its own template and with a name made up."""
        metadata = {**template.get("metadata", {}), "generateName": "pod-"}
        metadata.pop("name", None)
        body = {"metadata": metadata, "spec": template["spec"]}
        return self.create(f"/api/v1/namespaces/{namespace}/pods", body)

    def create_namespace(self, **labels: str) -> str:
        """Create a namespace, and the account that a controller would create in it; its name."""
        metadata = {"generateName": "tests-", "labels": labels}
        name = self.create("/api/v1/namespaces", {"metadata": metadata})["metadata"]["name"]
        path = f"/api/v1/namespaces/{name}/serviceaccounts"
        self.create(path, {"metadata": {"name": "default"}})
        return str(name)

    def create_kind(self, group: str, kind: str) -> None:
        """Let a kind of an operator be known, version v1 of it, with any fields."""
        plural = f"{kind.lower()}s"
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        spec = {
            "group": group,
            "names": {"kind": kind, "plural": plural},
            "scope": "Namespaced",
            "versions": [{"name": "v1", **version}],
        }
        body = {"metadata": {"name": f"{plural}.{group}"}, "spec": spec}
        self.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)
        eventually(lambda: self.has(f"/apis/{group}/v1/{plural}"))


def eventually(happens: Callable[[], bool], *, within: float = INFORMER_LAG) -> None:
    """Ask again and again, for so many seconds at most; each time asks the server."""
    deadline = time.monotonic() + within
    while not happens():
        assert time.monotonic() < deadline, f"it didn't happen within {within:g} s"


def _accepted(answer: httpx2.Response) -> Object:
    assert answer.is_success, answer.text
    return dict(answer.json())
