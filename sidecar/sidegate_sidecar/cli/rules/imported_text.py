"""The text of an imported rules file: YAML, with comments that say where each rule is from."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, cast

from sidegate_sidecar.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sidegate_sidecar.rules_import.imported import Imported, ImportedRule

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z-]{3,}")  # "y", "on", "off" and the like are shorter
_OTHER_VALUES: Final = {"null", "true", "false"}


def rules_text(found: Imported, file: str) -> str:
    """Return the file that says what was imported from another one."""
    return "".join(f"{line}\n" for line in _lines(found, visible(file)))


def _lines(found: Imported, file: str) -> Iterator[str]:
    yield f"# From {file}, domain {visible(found.domain)}, by sidegate rules import."
    yield "# Of the rules that match a request the first applies; Envoy may ask about several."
    yield "# A limit is a bucket that refills evenly, not a window that begins anew."
    if found.rest:
        yield f"# {len(found.rest):,} of what stands there can't be said here, and was left out."
    yield f"version: {found.document['version']}"
    if found.exempt:
        yield "exempt: # whatever other rules say"
        for line, _, source, text in found.exempt:
            yield f"  - {_scalar(text)} # line {line}: {visible(source)}"
    yield "rules:" if found.rules else "rules: []"
    for it in found.rules:
        yield from _rule(it)


def _rule(it: ImportedRule) -> Iterator[str]:
    yield f"  # line {it.line}: {visible(it.source)}"
    for key, field in it.guessed.items():
        if key.lower() != field:
            yield f"  # {visible(key)} is taken for the header {field}"
    begin = "- "
    for name, value in it.rule.items():
        yield f"  {begin}{name}: {_flow(value)}"
        begin = "  "


def _flow(value: object) -> str:
    if isinstance(value, dict):
        pairs = cast("Mapping[str, Any]", value).items()
        return "{" + ", ".join(f"{_scalar(name)}: {_flow(it)}" for name, it in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, cast("list[object]", value))) + "]"
    return _scalar(str(value))


def _scalar(text: str) -> str:
    """Return a text in double quotes, in which YAML reads it as it is; plain where that is."""
    if _PLAIN.fullmatch(text) and text.lower() not in _OTHER_VALUES:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(it if it.isprintable() else f"\\U{ord(it):08X}" for it in quoted)
