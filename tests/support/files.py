"""Files that change while they are in use."""

from pathlib import Path


def replace(file: Path, text: str) -> None:
    """Put another file in the place of one, at once."""
    fresh = file.with_name("fresh")
    fresh.write_text(text)
    fresh.replace(file)
