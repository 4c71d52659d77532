"""Builds what `apiserver` starts, from source: kube-apiserver and etcd, into .venv/tools.

    python -m tests.deploy.kubernetes.build_apiserver

It takes Go (see `tests/support/deploy/go.py`), 450 s of CPU, and 2 GB of memory to link; where Go
has compiled it before, 7 s. CI does it in the background. What is there already stays.
"""

import json
import re
from functools import partial
from pathlib import Path
from typing import Final

from tests.support.deploy import go
from tests.support.deploy.tools import command, keep

KUBERNETES: Final = "1.36.3"
ETCD: Final = "3.7.3"

ETCD_PACKAGE: Final = "go.etcd.io/etcd/server/v3"
KUBERNETES_MODULE: Final = "k8s.io/kubernetes"
VERSION_SYMBOL: Final = "k8s.io/component-base/version.gitVersion"
LIVES_IN_STAGING: Final = re.compile(r"^\s*(k8s\.io/[a-z-]+) => \./staging/", re.MULTILINE)
SMALL: Final = "-s -w"  # without what debuggers read: linked in half of the time


def build_etcd(folder: Path) -> Path:
    """Build it in an empty folder; where it is."""
    go.run("mod", "init", "tools", folder=folder)
    go.run("mod", "edit", f"-require={ETCD_PACKAGE}@v{ETCD}", folder=folder)
    return build_command(ETCD_PACKAGE, folder, SMALL)


def build_kube_apiserver(folder: Path) -> Path:
    """Build it in an empty folder; where it is. The version is linked in, since helm reads it."""
    go.run("mod", "init", "tools", folder=folder)
    require_kubernetes(folder)
    linked = f"{SMALL} -X {VERSION_SYMBOL}=v{KUBERNETES}"
    return build_command(f"{KUBERNETES_MODULE}/cmd/kube-apiserver", folder, linked)


def build_command(package: str, folder: Path, linking: str) -> Path:
    """Build a command of what the go.mod in a folder requires.

    As any `go install` does, so that what Helm needs too is compiled once.
    """
    file = folder / "command"
    go.run("build", f"-ldflags={linking}", "-o", str(file), package, folder=folder)
    return file


def require_kubernetes(folder: Path) -> None:
    """Require Kubernetes; the modules that its repository holds too need their own versions."""
    wanted = f"{KUBERNETES_MODULE}@v{KUBERNETES}"
    source = json.loads(go.run("mod", "download", "-json", wanted, folder=folder))
    minor = KUBERNETES.partition(".")[2]
    replaced = [
        f"-replace={name}={name}@v0.{minor}"
        for name in LIVES_IN_STAGING.findall(Path(source["GoMod"]).read_text("utf-8"))
    ]
    go.run("mod", "edit", f"-require={wanted}", *replaced, folder=folder)


if __name__ == "__main__":
    both = (
        partial(keep, "etcd", ETCD, build_etcd),
        partial(keep, "kube-apiserver", KUBERNETES, build_kube_apiserver),
    )
    command("a Kubernetes API server", both)
