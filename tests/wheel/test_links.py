"""Links and paths in the documents: each leads to something that is there."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("ring/sidegate_ring", "middleware/sidegate", "sidecar/sidegate_sidecar")
# Where a path may start: a module is written `sidegate/wsgi.py`, or `wsgi.py` beside its package.
BASES: Final = (
    ROOT,
    *(ROOT / it for it in PACKAGES),
    *(ROOT / it for it in ("ring", "middleware", "sidecar")),
)
HISTORY: Final = ("CHANGELOG.md", "docs/internals/decisions/")  # name files of their day
BLOCK: Final = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
HEADING: Final = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
LINK: Final = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)#?([^)\s]*)\)")
FILE: Final = re.compile(r"`([\w.-]+/[\w./-]+\.(?:css|json|md|py|toml|yaml|yml))`")
TASK: Final = re.compile(r"^\|[^|]+\| `([^`|]+\.py)` \| `(\w+)` \|$", re.MULTILINE)
DOCUMENT: Final = re.compile(r"(?<![\w/])(docs/[\w./-]+\.md)#?([\w-]*)")


def files(*patterns: str) -> list[str]:
    found = {str(it.relative_to(ROOT)) for pattern in patterns for it in ROOT.glob(pattern)}
    return sorted(name for name in found if (ROOT / name).is_file() and "__pycache__" not in name)


DOCUMENTS: Final = files("*.md", "docs/**/*.md", "charts/**/*.md*", "examples/**/*.md")
CODE: Final = files(
    "*.yml",
    *(f"{it}/**/*.py" for it in ("bench", "middleware", "ring", "sidecar", "tests")),
    *(f"{it}/**/*" for it in ("charts", "compose", "examples")),
)


@cache
def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@cache
def anchors(name: str) -> set[str]:
    """Return where a link to a document may lead: its headings, as hosts of Git repositories do."""
    found: dict[str, int] = {}
    for heading in HEADING.findall(BLOCK.sub("", text_of(name))):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found[anchor] = found.get(anchor, 0) + 1
    again = {f"{it}-{number}" for it, count in found.items() for number in range(1, count)}
    return {"", *found, *again}


def leads_somewhere(target: Path, anchor: str) -> bool:
    if not target.exists():
        return False
    return not anchor or anchor in anchors(str(target.relative_to(ROOT)))


def broken(name: str) -> Iterator[str]:
    for path, anchor in LINK.findall(BLOCK.sub("", text_of(name))):
        target = (ROOT / name).parent / path if path else ROOT / name
        if not leads_somewhere(target.resolve(), anchor):
            yield f"{path}#{anchor}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links(name: str) -> None:
    """A relative link names a file or folder that is there, and behind its # a heading of it."""
    assert list(broken(name)) == []


@pytest.mark.parametrize("name", [it for it in DOCUMENTS if not it.startswith(HISTORY)])
def test_files_that_documents_name(name: str) -> None:
    """A path in a document begins at the root, at a package, or beside the document."""
    bases = (*BASES, (ROOT / name).parent)
    named = FILE.findall(text_of(name))
    assert [it for it in named if not any((base / it).exists() for base in bases)] == []


@pytest.mark.parametrize(("file", "name"), TASK.findall(text_of("CONTRIBUTING.md")))
def test_tasks(file: str, name: str) -> None:
    """Where CONTRIBUTING says that a task begins, that name is defined, and not only imported."""
    (path,) = (base / file for base in BASES if (base / file).exists())
    text = path.read_text("utf-8")
    assert re.search(rf"^ *((async )?def |class )?{name}\b *[:(=]", text, re.MULTILINE)


def test_there_are_ten_tasks() -> None:
    """The table is read as it is written."""
    assert len(TASK.findall(text_of("CONTRIBUTING.md"))) == 10


def test_documents_that_code_names() -> None:
    """Code, charts, alerts and tests name documents, and headings in them, that are there."""
    named = {(name, *found) for name in CODE for found in DOCUMENT.findall(text_of(name))}
    assert len(named) > 20
    assert [it for it in named if not leads_somewhere(ROOT / it[1], it[2])] == []
