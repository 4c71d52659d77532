"""The images that our Dockerfile and compose file start from: of a registry, or stand-ins."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.deploy.containers import standin
from tests.deploy.containers.engine import Engine
from tests.support.optional import in_ci, missing
from tests.support.processes.services import ROOT

WHEELS: Final = "wheels"  # the folder that the Dockerfile knows
_STANDINS: Final = {
    "SIDEGATE_BASE": "sidegate-standin:base",
    "NGINX_IMAGE": "sidegate-standin:nginx",
    "PROMETHEUS_IMAGE": "sidegate-standin:prometheus",
}
_NO_INDEX: Final = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"/src/{WHEELS}"}
_ARCHIVES: Final = {
    "sidegate-standin:base": (standin.BASE, ()),
    "sidegate-standin:nginx": (standin.SERVERS, ('ENTRYPOINT ["nginx", "-g", "daemon off;"]',)),
    "sidegate-standin:prometheus": (standin.SERVERS, ('ENTRYPOINT ["prometheus"]', "USER 65534")),
}


def variables(engine: Engine) -> dict[str, str]:
    """Return what our compose file takes from the environment, so that it runs on this machine.

    In CI, where no registry is, and with SIDEGATE_STANDINS=1: stand-ins, and wheels made here.
    """
    if not (in_ci() or os.environ.get("SIDEGATE_STANDINS")):
        return {}
    if os.geteuid() or not shutil.which("debootstrap"):
        missing("no stand-ins for images of a registry: they take root and debootstrap")
    standin.make()
    for name, (archive, changes) in _ARCHIVES.items():
        options = [part for change in changes for part in ("--change", change)]
        engine.docker("import", *options, str(archive), name)
    return _STANDINS | _NO_INDEX


def checkout(folder: Path, *, with_wheels: bool) -> Path:
    """Copy what git knows of into a folder, as a clone has it; add wheels if need be."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    if with_wheels:
        _collect_wheels(folder)
    return folder


def _collect_wheels(folder: Path) -> None:
    """Fetch wheels of our dependencies, and of what builds ours, for the Python of the stand-in."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", WHEELS]
    command += ["--only-binary=:all:", f"--python-version={standin.PYTHON}"]
    command += ["-c", "constraints.txt", "hatchling", ".[sidecar,grpc,sidecar-otel,sidecar-resp]"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"no wheels for an image: {done.stderr}")
