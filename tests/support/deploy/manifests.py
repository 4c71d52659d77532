"""What Kubernetes objects say, and what the Pod Security Standard "restricted" says to them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

# These come without types.
import kubernetes_validate  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

Object = dict[str, Any]

SUPPORTED: Final = ("1.29", "1.33", "1.36")  # the first with native sidecars, their stable, ours
FOREIGN: Final = ("monitoring.coreos.com/", "cert-manager.io/")  # kinds that Kubernetes lacks
ALLOWED_VOLUMES: Final = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"),
    *("projected", "secret"),
}


def validate(thing: Object, version: str) -> None:
    """Raise unless a Kubernetes of that version knows all of an object's fields."""
    if not thing["apiVersion"].startswith(FOREIGN):
        kubernetes_validate.validate(thing, version, strict=True)  # pyright: ignore[reportUnknownMemberType]


def of_kind(objects: Sequence[Object], kind: str) -> list[Object]:
    """Return the objects of a kind."""
    return [it for it in objects if it["kind"] == kind]


def the(objects: Sequence[Object], kind: str, name: str = "") -> Object:
    """Return the one object of a kind (and name)."""
    found = [it for it in of_kind(objects, kind) if name in {"", it["metadata"]["name"]}]
    assert len(found) == 1, f"{kind} {name}: {len(found)} of {[summary(it) for it in objects]}"
    return found[0]


def summary(thing: Object) -> str:
    """Return kind and name."""
    return f"{thing['kind']}/{thing['metadata']['name']}"


class PodShape(NamedTuple):
    """A pod, or what pods are made from."""

    title: str
    labels: Mapping[str, str]
    spec: Object

    @property
    def containers(self) -> list[Object]:
        """All containers, in the order in which they start."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    def container(self, name: str = "sidegate") -> Object:
        """Return the container of that name."""
        return container(self.spec, name)

    def env(self, name: str = "sidegate") -> dict[str, str]:
        """Return the environment of a container."""
        return env(self.container(name))

    def mounted(self, path: str, by: str = "sidegate") -> tuple[Object, Object]:
        """Return the mount of a container at a path, and the volume that is there."""
        (mount,) = [it for it in self.container(by)["volumeMounts"] if it["mountPath"] == path]
        (volume,) = [it for it in self.spec["volumes"] if it["name"] == mount["name"]]
        return mount, volume


def pods(objects: Sequence[Object]) -> Iterator[PodShape]:
    """Yield the pods in some objects, those of templates too."""
    for it in objects:
        if it["kind"] == "Pod":
            yield PodShape(summary(it), it["metadata"].get("labels", {}), it["spec"])
        elif "template" in it.get("spec", {}):
            template = it["spec"]["template"]
            yield PodShape(summary(it), template["metadata"]["labels"], template["spec"])


def the_pod(objects: Sequence[Object], kind: str = "Deployment") -> PodShape:
    """Return the pod of the one object of a kind."""
    (found,) = pods(of_kind(objects, kind))
    return found


def container(spec: Object, name: str) -> Object:
    """Return the container of that name in a pod."""
    everything = [*spec.get("initContainers", []), *spec["containers"]]
    (found,) = [it for it in everything if it["name"] == name]
    return dict(found)


def env(of: Object) -> dict[str, str]:
    """Return the environment of a container; what comes from a field is `$(the field)`."""
    return {it["name"]: it.get("value", _from_field(it)) for it in of.get("env", [])}


def _from_field(entry: Object) -> str:
    return f"$({entry['valueFrom']['fieldRef']['fieldPath']})" if "valueFrom" in entry else ""


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Tell whether a selector of labels selects what has these labels."""
    return bool(selector) and selector.items() <= labels.items()


def unrestricted(pod: PodShape) -> list[str]:
    """Return what the Pod Security Standard "restricted" forbids in a pod, in words."""
    spec = pod.spec
    faults = [what for what in ("hostNetwork", "hostPID", "hostIPC") if spec.get(what)]
    for volume in spec.get("volumes", []):
        faults += [f"volume of {kind}" for kind in volume if kind not in {"name", *ALLOWED_VOLUMES}]
    for it in pod.containers:
        faults += [f"{it['name']}: {fault}" for fault in _faults(it, spec)]
    return faults


def _faults(of: Object, spec: Object) -> Iterator[str]:
    own, pods_own = of.get("securityContext", {}), spec.get("securityContext", {})
    both = {**pods_own, **own}
    if own.get("privileged") or own.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        yield "may be root"
    if "ALL" not in own.get("capabilities", {}).get("drop", []):
        yield "keeps capabilities"
    if own.get("capabilities", {}).get("add"):
        yield "adds capabilities"
    if both.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "has no seccomp profile"
    if any("hostPort" in port for port in of.get("ports", [])):
        yield "takes a port of the host"
