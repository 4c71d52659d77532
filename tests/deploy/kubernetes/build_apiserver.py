"""Builds what `apiserver` starts, from source: kube-apiserver and etcd, into .venv/tools.

    python -m tests.deploy.kubernetes.build_apiserver

It needs `go`, and takes about five minutes on two cores. What is there already stays. Go fetches
the sources as it is configured to (GOPROXY), and checks them against its checksum database.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.support.deploy.tools import TOOLS

KUBERNETES: Final = "1.36.3"
ETCD: Final = "3.7.3"

ETCD_PACKAGE: Final = "go.etcd.io/etcd/server/v3"
KUBERNETES_MODULE: Final = "k8s.io/kubernetes"
VERSION_SYMBOL: Final = "k8s.io/component-base/version.gitVersion"
LIVES_IN_STAGING: Final = re.compile(r"^\s*(k8s\.io/[a-z-]+) => \./staging/", re.MULTILINE)


def build(go: str, tools: Path) -> None:
    """Build both into a folder, unless their files are there."""
    tools.mkdir(parents=True, exist_ok=True)
    if not (tools / "etcd").exists():
        with TemporaryDirectory() as folder:
            module = GoModule(go, Path(folder))
            module.run("mod", "edit", f"-require={ETCD_PACKAGE}@v{ETCD}")
            module.build(ETCD_PACKAGE, tools / "etcd")
    if not (tools / "kube-apiserver").exists():
        with TemporaryDirectory() as folder:
            module = GoModule(go, Path(folder))
            require_kubernetes(module)
            says = f"-ldflags=-s -w -X {VERSION_SYMBOL}=v{KUBERNETES}"  # helm reads the version
            command = f"{KUBERNETES_MODULE}/cmd/kube-apiserver"
            module.build(command, tools / "kube-apiserver", says)


def require_kubernetes(module: GoModule) -> None:
    """Require Kubernetes; the modules that its repository holds too need their own versions."""
    wanted = f"{KUBERNETES_MODULE}@v{KUBERNETES}"
    source = json.loads(module.run("mod", "download", "-json", wanted))
    minor = KUBERNETES.partition(".")[2]
    module.run("mod", "edit", f"-require={wanted}")
    for name in LIVES_IN_STAGING.findall(Path(source["GoMod"]).read_text("utf-8")):
        module.run("mod", "edit", f"-replace={name}={name}@v0.{minor}")


class GoModule:
    """A module of Go in an empty folder, for building commands of other modules."""

    def __init__(self, go: str, folder: Path) -> None:
        self.go, self.folder = go, folder
        self.run("mod", "init", "tools")

    def run(self, *words: str) -> str:
        """Run go, and return what it prints. What it has to say besides goes to stderr."""
        done = subprocess.run(
            [self.go, *words], cwd=self.folder, check=True, text=True, stdout=subprocess.PIPE
        )
        return done.stdout

    def build(self, package: str, file: Path, *options: str) -> None:
        """Build a command; the file is there when it is whole, never before."""
        sys.stderr.write(f"building {file.name}\n")
        unready = file.with_name(f"{file.name}.{self.folder.name}")
        self.run("build", "-mod=mod", "-trimpath", *options, "-o", str(unready), package)
        unready.replace(file)


def main() -> None:
    """Build into .venv/tools."""
    go = shutil.which("go")
    if go is None:
        sys.exit("go is not in the PATH: it builds kube-apiserver and etcd from their sources")
    build(go, TOOLS)


if __name__ == "__main__":
    main()
