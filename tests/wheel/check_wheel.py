"""Build the distribution and use its wheel as a stranger would: without the extra, and with it.

Run by `make check`, not by pytest: it installs from the package index.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("sidegate", "sidegate_ring", "sidegate_sidecar")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sidegate-wheel-") as folder:
        wheel = build(Path(folder, "dist"))
        environment = Path(folder, "venv")
        venv.create(environment, with_pip=True)
        install(environment, str(wheel))
        without_the_extra(environment)
        install(environment, f"{wheel}[sidecar]")
        with_the_extra(environment)
    print(f"{wheel.name}: works without the extra and with it")  # noqa: T201 - a command's output


def build(into: Path) -> Path:
    """Make the sdist, and from the sdist the wheel: so what the sdist lacks is missed here."""
    run([sys.executable, "-m", "build", "--outdir", str(into), str(ROOT)])
    (wheel,) = into.glob("*.whl")
    return wheel


def install(environment: Path, what: str) -> None:
    pip = [str(environment / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "install", "--quiet", "-c", str(ROOT / "constraints.txt"), what])


def without_the_extra(environment: Path) -> None:
    python = environment / "bin/python"
    run([str(python), "-I", "-c", "import sidegate; sidegate.RateLimitMiddleware"])
    for name in PACKAGES:
        run([str(python), "-I", "-c", TYPED, name])
    said = run([str(environment / "bin/sidegate")], fails=True)
    expect("sidegate[sidecar]" in said, f"sidegate doesn't say how to install the sidecar: {said}")
    expect("Traceback" not in said, f"sidegate shows a traceback to its user: {said}")


def with_the_extra(environment: Path) -> None:
    said = run([str(environment / "bin/sidegate"), "--version"])
    version = run([str(environment / "bin/python"), "-I", "-c", VERSION]).strip()
    expect(version in said, f"sidegate --version says {said!r}, the distribution is {version}")


# Found, not imported: the ring's hash comes with the extra.
TYPED = """
import sys
from importlib.util import find_spec
from pathlib import Path

(folder,) = find_spec(sys.argv[1]).submodule_search_locations
assert Path(folder, "py.typed").is_file(), folder
"""

VERSION = "import importlib.metadata; print(importlib.metadata.version('sidegate'))"


def run(command: list[str], *, fails: bool = False) -> str:
    """Return what a command says on both streams; it must fail exactly if `fails`."""
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        check=False,
        cwd=tempfile.gettempdir(),
        env=surroundings,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    expect((done.returncode != 0) == fails, f"{' '.join(command)}\n{done.stdout}")
    return done.stdout


def expect(condition: object, complaint: str) -> None:
    if not condition:
        sys.exit(f"check_wheel: {complaint}")


if __name__ == "__main__":
    main()
