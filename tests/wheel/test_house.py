"""Rule 1 and rule 2 of CONTRIBUTING: nothing is too long or too full, and no name is used twice."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PRODUCT: Final = ("ring", "middleware", "sidecar")
CODE: Final = (*PRODUCT, "tests", "bench", "compose", "examples", "docs")
MAX_LINES: Final = 400  # of a file
MAX_MODULES: Final = 12  # of a folder
MAX_FUNCTION: Final = 50  # lines
LONGER: Final = {
    "serve",  # typer wants an argument for each option, and each is read in a line
    "decide",  # a loop that each check passes, where calls would cost
    "check",  # of a Client: as hot, and with an argument for each way to ask
}

# What another library calls so, where `compat` stands in for it.
THEIRS: Final = {"Limit", "Limiter", "RateLimitExceeded"}


def modules(*folders: str) -> Iterator[Path]:
    """Yield the Python files below some folders."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def nodes() -> Iterator[tuple[Path, ast.AST]]:
    """Yield all that the product's modules say, and where."""
    for file in modules(*PRODUCT):
        yield from ((file, it) for it in ast.walk(ast.parse(file.read_text("utf-8"))))


def test_files_are_short() -> None:
    """Those of tests too: one near the limit is two."""
    lines = {str(file): len(file.read_text("utf-8").splitlines()) for file in modules(*CODE)}
    assert {file: count for file, count in lines.items() if count > MAX_LINES} == {}


def test_folders_are_seen_at_a_glance() -> None:
    """Each folder of modules is."""
    counts = Counter(file.parent for file in modules(*CODE) if file.name != "__init__.py")
    assert {folder: count for folder, count in counts.items() if count > MAX_MODULES} == {}


def test_functions_are_short() -> None:
    """All but three, and these have their reason."""
    long = {
        it.name
        for _, it in nodes()
        if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)
        and (it.end_lineno or 0) - it.lineno >= MAX_FUNCTION
    }
    assert long == LONGER


def test_a_class_name_has_one_meaning() -> None:
    """No name is that of two classes, but where it has to be that of another library."""
    names = Counter(
        it.name
        for file, it in nodes()
        if isinstance(it, ast.ClassDef) and not ("compat" in file.parts and it.name in THEIRS)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_modules_need_no_other_names_when_they_are_imported() -> None:
    """Nothing of ours is imported `as` something else."""
    renamed = [
        f"{file}: {name.name} as {name.asname}"
        for file, it in nodes()
        if isinstance(it, ast.ImportFrom) and (it.module or "").startswith("sidegate")
        for name in it.names
        if name.asname
    ]
    assert renamed == []
