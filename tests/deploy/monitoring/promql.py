"""What a query of Prometheus reads: the series it selects, and the labels it names.

A tokenizer and a walk through the tokens, no more: promtool says whether a query is right.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_TOKENS: Final = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<range>\[[^\]]*\])
      | (?P<number>(?:\d+(?:\.\d+)?(?:[eE][-+]?\d+|(?:ms|[smhdwy]))?)+)
      | (?P<name>[a-zA-Z_:][\w:]*)
      | (?P<sign>=~|!~|!=|==|<=|>=|[-+*/%^<>=(){},@])""",
    re.VERBOSE,
)
_GROUPING: Final = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS: Final = {"and", "or", "unless", "offset", "bool", "inf", "nan"}


class Matcher(NamedTuple):
    """A condition on a label: `sign` is one of = != =~ !~."""

    label: str
    sign: str
    value: str

    @property
    def named(self) -> list[str]:
        """The values that it names; none where it takes anything that fits a pattern."""
        values = self.value.split("|") if "~" in self.sign else [self.value]
        return [value for value in values if re.fullmatch(r"[\w-]+", value)]


class Selector(NamedTuple):
    """A metric, and conditions on its labels."""

    metric: str
    matchers: list[Matcher]


@dataclass
class Query:
    """All that a query selects, the labels that it groups and joins by, and those that it makes."""

    selectors: list[Selector] = field(default_factory=list[Selector])
    labels: set[str] = field(default_factory=set[str])
    made: set[str] = field(default_factory=set[str])


class Token(NamedTuple):
    """A token: its kind, by the names in the pattern, and its text."""

    kind: str
    text: str


def tokens(text: str) -> Iterator[Token]:
    """Split a query; ValueError for what is no token."""
    at = 0
    while at < len(text):
        found = _TOKENS.match(text, at)
        if not found:
            raise ValueError(f"{text[at : at + 20]!r} in {text!r}: expected a token of PromQL")
        if found.lastgroup and found.lastgroup != "space":
            yield Token(found.lastgroup, found.group())
        at = found.end()


def read(text: str) -> Query:
    """Return what a query reads; ValueError where it makes no sense."""
    rest = [*tokens(text), Token("end", "")]
    query = Query()
    makes_label = False
    while rest[0].kind != "end":
        kind, name = rest.pop(0)
        if kind == "string" and makes_label:
            query.made.add(name[1:-1])
            makes_label = False
        if kind == "sign" and name == "{":
            raise ValueError(f"{text!r}: expected a metric before each {{")
        if kind != "name" or name in _WORDS:
            continue
        makes_label = makes_label or name == "label_replace"
        if name in _GROUPING:
            query.labels.update(_labels(rest))
        elif rest[0].text != "(" and not _is_operator(name, rest):
            query.selectors.append(Selector(name, list(_matchers(rest))))
    return query


def _is_operator(name: str, rest: list[Token]) -> bool:
    """Tell if it is an aggregation whose grouping comes first: `sum by (job) (x)`."""
    return rest[0].text in _GROUPING and name.islower() and "_" not in name


def _labels(rest: list[Token]) -> Iterator[str]:
    """Take a list of labels in parentheses, if there is one."""
    if rest[0].text != "(":
        return
    while (token := rest.pop(0)).text != ")":
        if token.kind == "name":
            yield token.text


def _matchers(rest: list[Token]) -> Iterator[Matcher]:
    """Take a list of matchers in braces, if there is one."""
    if rest[0].text != "{":
        return
    del rest[0]
    while rest[0].kind == "name":
        label, sign, value = (rest.pop(0).text for _ in range(3))
        yield Matcher(label, sign, value[1:-1])
        if rest[0].text == ",":
            del rest[0]
