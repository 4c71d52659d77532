"""The fields of a mapping: each taken by its name, or a fault that says what was expected. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sidegate.errors import did_you_mean
from sidegate_sidecar.ratelimit_yaml.yaml_errors import YamlFileError
from sidegate_sidecar.ratelimit_yaml.yaml_nodes import MappingNode, ScalarNode, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate_sidecar.ratelimit_yaml.yaml_nodes import YamlNode

MAX_TEXT: Final = 1_024  # characters of a name, a key or a value

_TRUTHS: Final = {
    **dict.fromkeys(("true", "yes", "on", "y"), True),
    **dict.fromkeys(("false", "no", "off", "n"), False),
}
_COUNT: Final = re.compile(r"[0-9]{1,16}")


class YamlFields:
    """The pairs of a mapping at a path; a name that isn't among the known ones is a fault."""

    def __init__(self, node: YamlNode, path: str, known: Iterable[str]) -> None:
        if not isinstance(node, MappingNode):
            raise YamlFileError(node.line, path, told(node), "expected a mapping")
        self.line = node.line
        self.path = path
        self._pairs = node.pairs
        names = list(known)
        for name, (line, _) in node.pairs.items():
            if name not in names:
                why = f"expected one of {', '.join(names)}{did_you_mean(name, names)}"
                raise YamlFileError(line, path, name, why)

    def at(self, name: str) -> str:
        """Return the path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def fault(self, name: str, expected: str) -> YamlFileError:
        """Return what is wrong with a field that may be there or not."""
        line, node = self._pairs.get(name, (self.line, None))
        return YamlFileError(line, self.at(name), None if node is None else told(node), expected)

    def node(self, name: str) -> YamlNode | None:
        """Return what stands there, None for nothing."""
        node = self._pairs.get(name, (0, None))[1]
        return None if isinstance(node, ScalarNode) and node.is_null else node

    def text(self, name: str) -> str:
        """Return a text as it is written, empty if there is none."""
        node = self.node(name)
        if node is None:
            return ""
        if not isinstance(node, ScalarNode):
            raise self.fault(name, "expected a text")
        if len(node.text) > MAX_TEXT:
            raise self.fault(name, f"expected at most {MAX_TEXT:,} characters")
        return node.text

    def needed(self, name: str) -> str:
        """Return a text that has to be there."""
        if text := self.text(name):
            return text
        raise self.fault(name, "expected a text that isn't empty")

    def flag(self, name: str) -> bool:
        """Return whether something is said to be so; False if nothing is said."""
        node = self.node(name)
        if node is None:
            return False
        if not isinstance(node, ScalarNode) or node.quoted or node.text.lower() not in _TRUTHS:
            raise self.fault(name, "expected true or false")
        return _TRUTHS[node.text.lower()]

    def count(self, name: str, most: int) -> int:
        """Return a whole number from 0 up, 0 if there is none."""
        node = self.node(name)
        if node is None:
            return 0
        if isinstance(node, ScalarNode) and not node.quoted and _COUNT.fullmatch(node.text):
            number = int(node.text)
            if number <= most:
                return number
        raise self.fault(name, f"expected a whole number from 0 to {most}")

    def items(self, name: str) -> list[tuple[YamlNode, str]]:
        """Return what a list has, each with its path; nothing if there is none."""
        node = self.node(name)
        if node is None:
            return []
        if not isinstance(node, SequenceNode):
            raise self.fault(name, "expected a list")
        return [(item, f"{self.at(name)}[{at}]") for at, item in enumerate(node.items)]


def told(node: YamlNode) -> object:
    """Return what is shown of a node that isn't what was expected."""
    if isinstance(node, ScalarNode):
        return node.text
    return [] if isinstance(node, SequenceNode) else {}
