"""YAML as nodes that know their lines, of a size that is bounded whatever is written. Pure.

libyaml gives one event after another, so that neither depth nor references take more than is
counted here. Nothing is constructed: a tag makes no object, and a scalar is its text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import yaml

from sidegate_sidecar.ratelimit_yaml.yaml_errors import YamlFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class TextMark(Protocol):
        """A place in a text; libyaml's and Python's own are two classes."""

        line: int


MAX_BYTES: Final = 1 << 20  # ten thousand descriptors; a wrong path is not read to its end
MAX_NODES: Final = 100_000  # with what references stand for in mappings: 0.3 s of reading
MAX_DEPTH: Final = 64  # lists and mappings in each other: twice what descriptors may have

_MERGE: Final = "<<"


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A text. One that is `quoted` is never null, a number or a truth."""

    line: int
    text: str
    quoted: bool

    @property
    def is_null(self) -> bool:
        """Whether it says that there is nothing."""
        return not self.quoted and self.text in {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """A list of nodes."""

    line: int
    items: list[YamlNode] = field(default_factory=list["YamlNode"])


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Pairs of a text and a node, each text once; those that `<<` brings stand behind its own."""

    line: int
    pairs: dict[str, tuple[int, YamlNode]] = field(
        default_factory=dict[str, tuple[int, "YamlNode"]]
    )
    """For each key the line where it stands, and its value."""


YamlNode: TypeAlias = ScalarNode | SequenceNode | MappingNode
"""Nodes that a reference stands for are in several places: who walks them counts again."""


def read_yaml(content: bytes) -> YamlNode:
    """Return the one document that a file has; YamlFileError says what is wrong with it."""
    if len(content) > MAX_BYTES:
        raise YamlFileError(0, "", None, f"{len(content):,} bytes, expected at most {MAX_BYTES:,}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlFileError(line, "", None, "expected text in UTF-8") from None
    try:
        return _Composer().compose(yaml.parse(text, yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error) from None
    except yaml.YAMLError as error:  # of a character that YAML doesn't have
        why = str(error).splitlines()[0][:200]
        raise YamlFileError(0, "", None, f"expected YAML: {why}") from None


def _not_yaml(error: yaml.MarkedYAMLError) -> YamlFileError:
    mark = error.problem_mark or error.context_mark
    why = " ".join(part for part in (error.context, error.problem) if part)[:200]
    return YamlFileError(_line(mark), "", None, f"expected YAML: {why}")


def _line(mark: TextMark | None) -> int:
    return 0 if mark is None else mark.line + 1


class _Open:
    """A list or mapping that isn't at its end; `key` waits for its value."""

    def __init__(self, node: SequenceNode | MappingNode) -> None:
        self.node = node
        self.key: ScalarNode | None = None
        self.merged: list[tuple[int, YamlNode]] = []


class _Composer:
    """Makes nodes of events."""

    def __init__(self) -> None:
        self._left = MAX_NODES
        self._open: list[_Open] = []
        self._anchors: dict[str, YamlNode] = {}
        self._found: list[YamlNode] = []

    def compose(self, events: Iterator[yaml.Event]) -> YamlNode:
        for event in events:
            line = _line(event.start_mark)
            if isinstance(event, yaml.ScalarEvent):
                self._spend(line)
                self._add(event.anchor, ScalarNode(line, event.value, bool(event.style)))
            elif isinstance(event, yaml.MappingStartEvent):
                self._begin(event.anchor, MappingNode(line))
            elif isinstance(event, yaml.SequenceStartEvent):
                self._begin(event.anchor, SequenceNode(line))
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self._end()
            elif isinstance(event, yaml.AliasEvent):
                self._spend(line)
                self._add(None, self._named(event, line))
        if len(self._found) != 1:
            why = f"{len(self._found)} documents, expected one"
            raise YamlFileError(
                0, "", None, why if self._found else "nothing in it, expected a mapping"
            )
        return self._found[0]

    def _spend(self, line: int, nodes: int = 1) -> None:
        self._left -= nodes
        if self._left < 0:
            raise YamlFileError(line, "", None, f"expected at most {MAX_NODES:,} values in a file")

    def _named(self, event: yaml.AliasEvent, line: int) -> YamlNode:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            raise YamlFileError(
                line, "", f"*{event.anchor}", "expected a name that stands before it"
            )
        if any(node is it.node for it in self._open):
            raise YamlFileError(
                line, "", f"*{event.anchor}", "expected no reference to what it is in"
            )
        return node

    def _begin(self, anchor: str | None, node: SequenceNode | MappingNode) -> None:
        self._spend(node.line)
        if len(self._open) >= MAX_DEPTH:
            why = f"expected lists and mappings in each other at most {MAX_DEPTH} deep"
            raise YamlFileError(node.line, "", None, why)
        self._add(anchor, node)
        self._open.append(_Open(node))

    def _add(self, anchor: str | None, node: YamlNode) -> None:
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self._found.append(node)
            return
        at = self._open[-1]
        if isinstance(at.node, SequenceNode):
            at.node.items.append(node)
        elif at.key is None:
            if not isinstance(node, ScalarNode):
                raise YamlFileError(node.line, "", None, "expected a text as the key of a mapping")
            at.key = node
        else:
            self._add_pair(at, at.node, at.key, node)
            at.key = None

    @staticmethod
    def _add_pair(at: _Open, mapping: MappingNode, key: ScalarNode, value: YamlNode) -> None:
        if key.text == _MERGE and not key.quoted:
            at.merged.append((key.line, value))
        elif key.text in mapping.pairs:
            before = mapping.pairs[key.text][0]
            why = f"expected once, it stands in line {before} already"
            raise YamlFileError(key.line, "", key.text, why)
        else:
            mapping.pairs[key.text] = key.line, value

    def _end(self) -> None:
        at = self._open.pop()
        for line, merged in at.merged:
            self._merge(at.node, line, merged)

    def _merge(self, into: YamlNode, line: int, merged: YamlNode) -> None:
        """Add the pairs of one mapping, or of a list of them, that aren't there yet."""
        assert isinstance(into, MappingNode)  # only they have keys
        for source in merged.items if isinstance(merged, SequenceNode) else [merged]:
            if not isinstance(source, MappingNode):
                raise YamlFileError(line, "", _MERGE, "expected a mapping, or a list of mappings")
            self._spend(line, len(source.pairs))
            for text, pair in source.pairs.items():
                into.pairs.setdefault(text, pair)
