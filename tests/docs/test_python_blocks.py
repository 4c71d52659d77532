"""What the documentation shows of Python runs as it stands there; CONTRIBUTING says how."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import ROOT, Block, pages, python_blocks

PAGES: Final = {
    page: blocks
    for page in pages("README.md", "docs/**/*.md")
    if (blocks := list(python_blocks(page)))
}
WHY_NOT: Final = {
    "another library's code",  # that a page leads away from
    "it runs until it is ended",
}
SECONDS: Final = 60  # for one page
# As a user's own tests: in a folder without settings, and warnings are errors.
PYTEST: Final = (
    *("-m", "pytest", "-q", "-Werror", "-pno:cacheprovider"),
    *("-oasyncio_mode=auto", "-oasyncio_default_fixture_loop_scope=function"),
)


@pytest.mark.parametrize("page", PAGES)
def test_a_page(page: str, tmp_path: Path) -> None:
    """Its modules can be imported, its program runs through, and its tests pass."""
    blocks = [it for it in PAGES[page] if it.why_not is None]
    files = written(blocks, tmp_path)
    plan = tmp_path / "blocks.json"
    plan.write_text(json.dumps([page, [(it.text, it.line, module(it)) for it in blocks]]))
    python(tmp_path, "-P", "-Werror", str(Path(__file__).with_name("run_page.py")), str(plan))
    if any(Path(it).name.startswith("test_") for it in files):
        python(tmp_path, *PYTEST)


def written(blocks: Iterable[Block], folder: Path) -> set[str]:
    """Write the files that blocks are, and return their names; blocks of one name are one file."""
    texts: dict[str, str] = defaultdict(str)
    for block in blocks:
        if block.file is not None:
            texts[block.file] += block.text
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return set(texts)


def module(block: Block) -> str | None:
    return block.file and block.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def python(folder: Path, *arguments: str) -> None:
    """Run Python in a folder whose modules it finds, and without settings of this machine."""
    settings = {name: it for name, it in os.environ.items() if not name.startswith("SIDEGATE_")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=settings | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_blocks_that_are_not_run_have_a_reason() -> None:
    """One of those that are listed; they are the fewer, and none is left out by a slip."""
    blocks = [it for page in PAGES.values() for it in page]
    marked = [it.why_not for it in blocks if it.why_not is not None]
    assert set(marked) <= WHY_NOT
    assert len(marked) < len(blocks) / 3
    texts = [(ROOT / page).read_text("utf-8") for page in pages("README.md", "docs/**/*.md")]
    assert sum(text.count("<!-- not run") for text in texts) == len(marked)


@pytest.mark.parametrize("page", pages("README.md", "docs/**/*.md"))
def test_blocks_are_found(page: str) -> None:
    """Python is always called so, and a comment with hidden code begins as it should."""
    text = (ROOT / page).read_text("utf-8")
    assert not re.search(r"^ *```(py|py3|python3|Python|pycon)\b", text, re.MULTILINE)
    found = list(python_blocks(page))
    assert len(found) == len(re.findall(r"^ *```python$|^<!-- run\b", text, re.MULTILINE))


def test_the_index_has_each_page() -> None:
    """Whoever writes apps finds all pages of docs/apps by a question."""
    index = (ROOT / "docs/apps/README.md").read_text("utf-8")
    found = re.findall(r"^\|.*\]\(([\w-]+\.md)\) \|$", index, re.MULTILINE)
    there = {Path(it).name for it in pages("docs/apps/*.md")}
    assert {*found} == there - {"README.md"}
