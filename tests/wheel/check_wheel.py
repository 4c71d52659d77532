"""Build the distribution and use its wheel as a stranger would: without the extra, and with it.

Then do what the documents say about installing it, word by word, in a copy of this checkout.

Run by `make check`, not by pytest: it installs from the package index.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
DOCUMENTS = ("README.md", "docs/running/install.md")
COMMANDS = 5  # two for a checkout, three for a wheel
ONE_OF_THE_EXTRA = "typer"  # gone before each command: so it is seen who brings it back
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
        as_documents_say(Path(folder, "checkout"), environment)
    print(f"{wheel.name}: works without the extra and with it")  # noqa: T201 - a command's output


def build(into: Path) -> Path:
    """Make the sdist, and from the sdist the wheel: so what the sdist lacks is missed here."""
    run([sys.executable, "-m", "build", "--outdir", str(into), str(ROOT)])
    (wheel,) = into.glob("*.whl")
    return wheel


def install(environment: Path, what: str) -> None:
    run([*pip_of(environment), "install", "--quiet", "-c", str(CONSTRAINTS), what])


def pip_of(environment: Path) -> list[str]:
    return [str(environment / "bin/python"), "-m", "pip", "--disable-pip-version-check"]


def without_the_extra(environment: Path) -> None:
    python = environment / "bin/python"
    run([str(python), "-I", "-c", "import sidegate; sidegate.RateLimitMiddleware"])
    for name in PACKAGES:
        run([str(python), "-I", "-c", TYPED, name])
    said = run([str(environment / "bin/sidegate")], fails=True)
    expect(".[sidecar]" in said, f"sidegate doesn't say how to install the sidecar: {said}")
    expect("Traceback" not in said, f"sidegate shows a traceback to its user: {said}")


def with_the_extra(environment: Path) -> None:
    said = run([str(environment / "bin/sidegate"), "--version"])
    version = run([str(environment / "bin/python"), "-I", "-c", VERSION]).strip()
    expect(version in said, f"sidegate --version says {said!r}, the distribution is {version}")
    run([str(environment / "bin/python"), "-I", "-c", PAGE])


def as_documents_say(checkout: Path, environment: Path) -> None:
    """Run their commands as they stand there, in their order; each installs what it says."""
    copy_of_checkout(checkout)
    texts = [(ROOT / name).read_text("utf-8") for name in DOCUMENTS]
    commands = [command for text in texts for command in install_commands(text)]
    expect(len(commands) == COMMANDS, f"{DOCUMENTS}: expected {COMMANDS}, not {commands}")
    for command in commands:
        run([*pip_of(environment), "uninstall", "--quiet", "--yes", "sidegate", ONE_OF_THE_EXTRA])
        run(["sh", "-ec", command], within=checkout, environment=environment)
        if "[sidecar]" in command:
            with_the_extra(environment)
        elif command.startswith("pip install"):
            without_the_extra(environment)


def install_commands(text: str) -> list[str]:
    """Return the lines with pip in the blocks of shell, without their comments."""
    blocks = text.split("```sh\n")[1:]
    lines = [line for block in blocks for line in block.split("```")[0].splitlines()]
    return [line.partition("  #")[0].strip() for line in lines if line.startswith("pip ")]


def copy_of_checkout(to: Path) -> None:
    """Copy what the wheel is made of, so that nothing is built into the checkout itself."""
    for folder in ("ring", "middleware", "sidecar"):
        shutil.copytree(ROOT / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, to)


# Found, not imported: the ring's hash comes with the extra.
TYPED = """
import sys
from importlib.util import find_spec
from pathlib import Path

(folder,) = find_spec(sys.argv[1]).submodule_search_locations
assert Path(folder, "py.typed").is_file(), folder
"""

PAGE = """
from sidegate_sidecar.fronts.http.page.files import FILES
from sidegate_sidecar.fronts.http.page.page import Page

assert all(Page().at(path).body for path in FILES)
"""

VERSION = "import importlib.metadata; print(importlib.metadata.version('sidegate'))"


def run(
    command: list[str],
    *,
    fails: bool = False,
    within: Path | None = None,
    environment: Path | None = None,
) -> str:
    """Return what a command says on both streams; it must fail exactly if `fails`.

    It runs `within` a folder, by default one without our code, and with the virtual `environment`
    active if one is given.
    """
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if environment is not None:
        surroundings["PATH"] = f"{environment / 'bin'}:{surroundings['PATH']}"
        surroundings["PIP_CONSTRAINT"] = str(CONSTRAINTS)
    done = subprocess.run(
        command,
        check=False,
        cwd=within or tempfile.gettempdir(),
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
