"""What documents say of the house is so: its tree, its layers, and what is pure."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docs/internals/architecture.md").read_text("utf-8")
BLOCKS: Final = re.findall(r"^```\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
CONTRACTS: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
    "importlinter"
]["contracts"]
PACKAGES: Final = ("ring/sidegate_ring", "middleware/sidegate", "sidecar/sidegate_sidecar")


def folders_shown() -> set[str]:
    """Return the folders of the tree, read by how far each line is indented."""
    (tree,) = [block for block in BLOCKS if block.startswith(PACKAGES[0])]
    above: list[str] = []
    found: set[str] = set()
    for indent, name in re.findall(r"^( *)([\w./]+)/ ", tree, re.MULTILINE):
        above[len(indent) // 2 :] = [name]
        found.add("/".join(above))
    return found


def test_the_tree_has_every_folder() -> None:
    """No folder of the three packages is missing, and none is shown that isn't there."""
    there = {
        str(file.parent.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("__init__.py")
    }
    assert {it for it in folders_shown() if it.startswith(PACKAGES)} == there


def test_the_layers_are_those_that_are_held() -> None:
    """Each contract about layers is shown as import-linter reads it, from the top down."""
    layers = ["\n".join(it["layers"]) + "\n" for it in CONTRACTS if "layers" in it]
    assert [it for it in layers if it not in BLOCKS] == []


def says_pure() -> set[str]:
    """Return the modules and packages whose docstrings have the word."""
    found: set[str] = set()
    for root, package in (it.split("/") for it in PACKAGES):
        for file in (ROOT / root / package).rglob("*.py"):
            says = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
            if re.search(r"\bPure\b", says):
                path = file.relative_to(ROOT / root).with_suffix("")
                found.add(".".join(path.parts).removesuffix(".__init__"))
    return found


def test_what_says_that_it_is_pure_is_held_to_it() -> None:
    """It is among the modules of the contract that forbids clocks, or lies in one of them."""
    (held,) = [
        it["source_modules"] for it in CONTRACTS if "time" in it.get("forbidden_modules", ())
    ]
    inside = tuple(f"{name}." for name in held)
    assert {it for it in says_pure() if not f"{it}.".startswith(inside)} == set()
