"""YAML: a text in, mappings, lists, texts and numbers out, and the line of each. Pure.

It is built from the parser's events, not by a loader: so each value has its line, a name that
stands twice is an error, and nothing is built that is too deep or too much, whatever aliases say.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

import yaml

from sidegate.errors import quoted
from sidegate_sidecar.rules_file.faults import MAX_ALIASES, MAX_DEPTH, MAX_VALUES, UnusableText
from sidegate_sidecar.rules_file.place_lines import PlaceLines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate.ruleset.invalid import Path

Data: TypeAlias = "dict[str, Data] | list[Data] | str | int | bool | None"

_INT: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_PLAIN: Final = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    "null": None, "Null": None, "NULL": None, "~": None, "": None,
}  # fmt: skip


def parse_yaml(text: str) -> tuple[Data, PlaceLines]:
    """Return what a text says; UnusableText says why it can't be read."""
    try:
        return _Reading(_events(text)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = " ".join(part for part in (error.context, error.problem) if part)
        raise UnusableText(mark.line + 1 if mark else 1, f"no YAML: {why}") from None
    except yaml.reader.ReaderError as error:
        before = text.encode()[: error.position]
        why = f"no YAML: {error.reason} ({error.character!r:.20})"
        raise UnusableText(before.count(b"\n") + 1, why) from None


def _events(text: str) -> Iterator[yaml.Event]:
    loader = yaml.CSafeLoader(text)
    try:
        while (event := loader.get_event()) is not None:
            yield event
    finally:
        loader.dispose()


class _Reading:
    """One pass over the events of a text."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self.lines = PlaceLines()
        self._values = 0
        self._aliases = 0
        self._anchored: dict[str, tuple[Data, int]] = {}  # and how many values it has

    def document(self) -> tuple[Data, PlaceLines]:
        next(self._events)  # of the stream
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return None, self.lines
        data = self._value(next(self._events), ())
        next(self._events)  # of the document's end
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise UnusableText(_line(event), "a second document begins, expected one in a file")
        return data, self.lines

    def _value(self, event: yaml.Event, path: Path) -> Data:
        self.lines.note(path, _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        self._count(1, event, path)
        assert isinstance(event, yaml.CollectionStartEvent | yaml.ScalarEvent)
        if event.tag is not None:
            raise UnusableText(_line(event), f"the tag {quoted(event.tag)}, expected none", path)
        before = self._values
        if isinstance(event, yaml.ScalarEvent):
            value: Data = _scalar(event)
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(path)
        else:
            value = self._sequence(path)
        if event.anchor:
            self._anchored[event.anchor] = (value, self._values - before + 1)
        return value

    def _mapping(self, path: Path) -> dict[str, Data]:
        found: dict[str, Data] = {}
        while not isinstance(name := next(self._events), yaml.MappingEndEvent):
            if not isinstance(name, yaml.ScalarEvent) or name.tag is not None:
                raise UnusableText(_line(name), "a name that is no text", path)
            if name.value == "<<" and name.implicit[0]:
                raise UnusableText(_line(name), '"<<": expected no merging of mappings', path)
            place = (*path, name.value)
            if name.value in found:
                why = (
                    f"{quoted(name.value)} stands here twice, first on line {self.lines.of(place)}"
                )
                raise UnusableText(_line(name), why, place)
            self.lines.note(place, _line(name))
            self._count(1, name, place)
            found[name.value] = self._value(next(self._events), place)
        return found

    def _sequence(self, path: Path) -> list[Data]:
        found: list[Data] = []
        while not isinstance(entry := next(self._events), yaml.SequenceEndEvent):
            found.append(self._value(entry, (*path, len(found))))
        return found

    def _alias(self, event: yaml.AliasEvent, path: Path) -> Data:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise UnusableText(_line(event), f"more aliases than {MAX_ALIASES:,}", path)
        if event.anchor not in self._anchored:
            why = f"*{event.anchor}: expected &{event.anchor} on a value before it"
            raise UnusableText(_line(event), why, path)
        value, count = self._anchored[event.anchor]
        self._count(count, event, path)
        return value

    def _count(self, values: int, event: yaml.Event, path: Path) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise UnusableText(_line(event), f"more values than {MAX_VALUES:,}", path)
        if len(path) > MAX_DEPTH:
            raise UnusableText(_line(event), f"nested deeper than {MAX_DEPTH}", path)


def _line(event: yaml.Event) -> int:
    assert event.start_mark is not None
    return event.start_mark.line + 1


def _scalar(event: yaml.ScalarEvent) -> Data:
    """Return a whole number, true, false or null, where it is one and not in quotes; else a text.

    So a day stays as it is written, and "on" is no boolean.
    """
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _PLAIN:
        return _PLAIN[text]
    return int(text) if _INT.fullmatch(text) else text
