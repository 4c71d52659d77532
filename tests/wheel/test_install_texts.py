"""Texts about installing: nothing is on a package index, and nobody is sent there."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
FROM_AN_INDEX: Final = re.compile(r"pip3? install [^\n]*?(?<![/\w-])sidegate(?![-\w/*])")
PLACES: Final = ("*.md", "docs/**/*.md", "charts/**/*.md*", "examples/**/*", "sidecar/**/*.py")
TEXTS: Final = [
    file
    for place in PLACES
    for file in ROOT.glob(place)
    if file.is_file() and "__pycache__" not in file.parts
]


@pytest.mark.parametrize("text", ["pip install sidegate", "pip install 'sidegate[sidecar]' x"])
def test_what_would_ask_an_index(text: str) -> None:
    """The name alone means whatever an index has under it, which may be somebody else's."""
    assert FROM_AN_INDEX.search(text)


@pytest.mark.parametrize("text", ["pip install .", "pip install dist/sidegate-*.whl"])
def test_what_asks_none(text: str) -> None:
    """A folder or a file is what it is."""
    assert not FROM_AN_INDEX.search(text)


def test_no_text_sends_anybody_to_an_index() -> None:
    """Neither the documents nor the examples nor what the command says."""
    assert len(TEXTS) > 50
    found = [file.name for file in TEXTS if FROM_AN_INDEX.search(file.read_text("utf-8"))]
    assert found == []
