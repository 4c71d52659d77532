"""TOML: a text in, mappings, lists, texts and numbers out, and the line of most. Pure.

The standard library's reader tells no lines of values, so these are looked for in the text, by
headers of tables and names before "=". What stands in one line with others has that line.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final, cast

from sidegate_sidecar.rules_file.faults import MAX_DEPTH, MAX_VALUES, UnusableText
from sidegate_sidecar.rules_file.place_lines import PlaceLines

if TYPE_CHECKING:
    from sidegate.ruleset.invalid import Path
    from sidegate_sidecar.rules_file.yaml_text import Data

MAX_INT: Final = 2**63 - 1
MAX_DOTS: Final = 256  # in what may be one name: the time that its reader takes is their square

_WRONG_AT: Final = re.compile(
    r"(?P<why>.*?) \(at line (?P<line>[0-9]+), column [0-9]+\)", re.DOTALL
)
_NAME: Final = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_NAMES: Final = rf"{_NAME}(?:[ \t]*\.[ \t]*{_NAME})*"
_OTHER: Final = re.compile(r"""[^\w\-. \t"']+""")  # what is in no name without quotes
_DIGITS: Final = re.compile(r"[0-9_]{4300,}")
_TABLE: Final = re.compile(rf"[ \t]*(?P<open>\[\[?)[ \t]*(?P<names>{_NAMES})[ \t]*\]")
_VALUE: Final = re.compile(rf"[ \t]*(?P<names>{_NAMES})[ \t]*=")


def parse_toml(text: str) -> tuple[Data, PlaceLines]:
    """Return what a text says; UnusableText says why it can't be read."""
    for found in _OTHER.split(text):
        if found.count(".") > MAX_DOTS:
            line = text.count("\n", 0, text.index(found)) + 1
            raise UnusableText(line, f"more than {MAX_DOTS} dots in a row of names")
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise UnusableText(1, f"nested deeper than {MAX_DEPTH}") from None
    except tomllib.TOMLDecodeError as error:
        at = _WRONG_AT.fullmatch(str(error))
        line = int(at["line"]) if at else text.count("\n") + 1
        raise UnusableText(line, f"no TOML: {at['why'] if at else error}") from None
    except ValueError:  # Python reads no number of more digits
        digits = _DIGITS.search(text)
        line = text.count("\n", 0, digits.start() if digits else 0) + 1
        raise UnusableText(line, "a number of more than 64 bits") from None
    lines = _lines_of(text)
    return _Plain(lines).of(data, ()), lines


class _Plain:
    """Makes values what YAML has for them, and counts them."""

    def __init__(self, lines: PlaceLines) -> None:
        self._lines = lines
        self._values = 0

    def of(self, value: object, path: Path) -> Data:
        self._values += 1
        if len(path) > MAX_DEPTH or self._values > MAX_VALUES:
            deep = len(path) > MAX_DEPTH
            why = f"nested deeper than {MAX_DEPTH}" if deep else f"more values than {MAX_VALUES:,}"
            raise UnusableText(self._lines.of(path), why, path)
        if isinstance(value, dict):
            mapping = cast("dict[str, object]", value)
            return {name: self.of(each, (*path, name)) for name, each in mapping.items()}
        if isinstance(value, list):
            return [self.of(it, (*path, at)) for at, it in enumerate(cast("list[object]", value))]
        if isinstance(value, int) and abs(value) > MAX_INT:  # printing it may fail
            raise UnusableText(self._lines.of(path), "a number of more than 64 bits", path)
        if isinstance(value, str | int):
            return value
        return str(value)  # a day, a moment, a fraction


def _lines_of(text: str) -> PlaceLines:
    lines, table, counts = PlaceLines(), cast("Path", ()), dict[tuple[str, ...], int]()
    for number, line in enumerate(text.splitlines(), 1):
        if found := _TABLE.match(line):
            names = _split(found["names"])
            if found["open"] == "[[":
                counts[names] = counts.get(names, -1) + 1
            table = _numbered(names, counts)
            lines.note(table, number)
        elif found := _VALUE.match(line):
            names = _split(found["names"])
            for end in range(1, len(names) + 1):
                lines.note((*table, *names[:end]), number)
    return lines


def _split(names: str) -> tuple[str, ...]:
    return tuple(it.strip("\"'") for it in re.findall(_NAME, names))


def _numbered(names: tuple[str, ...], counts: dict[tuple[str, ...], int]) -> Path:
    """Return the path of a table, with the number of each list of tables that it lies in."""
    path: list[str | int] = []
    for end in range(1, len(names) + 1):
        path.append(names[end - 1])
        if names[:end] in counts:
            path.append(counts[names[:end]])
    return tuple(path)
