"""RulesFile: the rules that a file holds, or each line of it that is wrong."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import msgspec

from sidegate.errors import shown
from sidegate.ruleset.invalid import RulesError, path_text
from sidegate.ruleset.ruleset import read_rules
from sidegate_sidecar.rules_file.faults import MAX_BYTES, UnusableText

if TYPE_CHECKING:
    from pathlib import Path

    from sidegate.ruleset.ruleset import RuleSet
    from sidegate_sidecar.rules_file.place_lines import PlaceLines
    from sidegate_sidecar.rules_file.yaml_text import Data

_FORMATS: Final = {".yaml": "yaml", ".yml": "yaml", ".toml": "toml"}


class WrongLine(msgspec.Struct, frozen=True):
    """What is wrong on one line, in words; `path` is that of the value, "" where there is none."""

    line: int
    path: str
    value: str  # as it is shown to people
    why: str


class UnusableFile(ValueError):  # noqa: N818  # named for what a person wrote
    """A rules file that can't be used. `wrong` has each line that is why, in their order."""

    def __init__(self, file: str, wrong: list[WrongLine]) -> None:
        super().__init__(file, wrong)
        self.file = file
        self.wrong = sorted(wrong, key=lambda it: it.line)

    def __str__(self) -> str:
        return "\n".join(
            f"{self.file}:{it.line}: {f'{it.path}: ' if it.path else ''}{it.why}"
            for it in self.wrong
        )


def load_rules(file: Path) -> RuleSet:
    """Return the rules in a file; UnusableFile for wrong ones, OSError if it can't be read."""
    with file.open("rb") as opened:
        return rules_in(str(file), opened.read(MAX_BYTES + 1))


def rules_in(file: str, content: bytes) -> RuleSet:
    """Return the rules that a file has; its name says the format. UnusableFile for wrong ones."""
    try:
        data, lines = _parsed(file, content)
    except UnusableText as error:
        path = path_text(error.path) if error.path else ""
        raise UnusableFile(file, [WrongLine(error.line, path, "", error.why)]) from None
    try:
        return read_rules(data)
    except RulesError as error:
        wrong = [
            WrongLine(lines.of(it.path), path_text(it.path), shown(it.value), it.why)
            for it in error.invalid
        ]
        raise UnusableFile(file, wrong) from None


def _parsed(file: str, content: bytes) -> tuple[Data, PlaceLines]:
    ending = PurePath(file).suffix.lower()
    if ending not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise UnusableText(1, f"the file's name ends with {ending!r}, expected one of {known}")
    if len(content) > MAX_BYTES:
        raise UnusableText(1, f"more than {MAX_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnusableText(line, f"no UTF-8: {content[error.start : error.end]!r}") from None
    if _FORMATS[ending] == "toml":
        from sidegate_sidecar.rules_file.toml_text import parse_toml  # noqa: PLC0415

        return parse_toml(text)
    from sidegate_sidecar.rules_file.yaml_text import parse_yaml  # noqa: PLC0415  # 10 ms

    return parse_yaml(text)
