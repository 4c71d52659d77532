"""Shapes: whether values are of the types that a rules file has in their places."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from sidegate.errors import did_you_mean
from sidegate.ruleset.document import Match, PlanLimits, RuleEntry, RulesDocument, Tenants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate.ruleset.invalid import InvalidValues, Path

T = TypeVar("T")

# What msgspec says of a value that has another shape than the type.
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*?)`(?: - at `\$(?P<at>.*)`)?")
_MISSING = re.compile(r"Object missing required field `(?P<name>.*?)`(?: - at `\$(?P<at>.*)`)?")
_TYPE = re.compile(r"Expected `(?P<type>.*?)`(?:, got `(?P<got>\w+)`)?(?: - at `\$(?P<at>.*)`)?")
_STEP = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_WORDS = {
    "str": "a text (in quotes, if it looks like something else)",
    "int": "a whole number",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_GOT = {
    "str": str, "int": int, "bool": bool, "float": float, "array": list, "object": dict,
    "null": type(None),
}  # fmt: skip
_NESTED: dict[str, Any] = {"match": Match}


def document_of(given: object, invalid: InvalidValues) -> RulesDocument | None:
    """Return what a file says, as it is written; None if values of another shape were added."""
    before = len(invalid.found)
    if not isinstance(given, dict):
        invalid.add((), given, "a mapping with version, rules and more")
        return None
    parts = cast("dict[str, object]", given)
    whole = {**parts}
    rules, plans, tenants = parts.get("rules"), parts.get("plans"), parts.get("tenants")
    if isinstance(rules, list):  # one by one: each error of one is told
        for at, rule in enumerate(cast("list[object]", rules)):
            _shaped(rule, RuleEntry, ("rules", at), invalid)
        whole["rules"] = []
    if isinstance(plans, dict):
        for name, plan in cast("dict[str, object]", plans).items():
            _shaped(plan, PlanLimits, ("plans", name), invalid)
        whole["plans"] = {}
    if "tenants" in parts:
        _shaped(tenants, Tenants, ("tenants",), invalid)
        whole["tenants"] = {}
    _shaped(whole, RulesDocument, (), invalid)
    return msgspec.convert(given, RulesDocument) if len(invalid.found) == before else None


def _shaped(value: object, kind: type[T], path: Path, invalid: InvalidValues) -> T | None:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        _tell(str(error), value, kind, path, invalid)
        return None


def _tell(said: str, value: object, kind: type, path: Path, invalid: InvalidValues) -> None:
    if found := _UNKNOWN.fullmatch(said):
        inner, there = _at(value, found["at"])
        known = _fields(kind, inner)
        name = found["name"]
        meant = did_you_mean(name, known)
        expected = f"one of {', '.join(known)}{meant}"
        invalid.add((*path, *inner, name), _get(there, name), f"no such field here, but {expected}")
    elif found := _MISSING.fullmatch(said):
        inner, there = _at(value, found["at"])
        invalid.add((*path, *inner), there, f"the field {found['name']} in it")
    elif found := _TYPE.fullmatch(said):
        inner, there = _at(value, found["at"], found["got"])
        words = " or ".join(_WORDS.get(it, it) for it in found["type"].split(" | "))
        invalid.add((*path, *inner), there, words)
    else:  # what a later msgspec may say
        invalid.add(path, value, said)


def _fields(kind: type, inner: Path) -> list[str]:
    for step in inner:
        kind = _NESTED.get(str(step), kind)
    return [field.name for field in msgspec.structs.fields(kind)]


def _at(value: object, steps: str | None, got: str | None = None) -> tuple[Path, object]:
    """Return the place that steps such as `.a[0][...]` lead to, and what stands there.

    For a name that isn't told (`[...]`), it is the first value of the type that was found.
    """
    names = [name or index for name, index in _STEP.findall(steps or "")]
    places = list(_places(value, names))
    kind = _GOT.get(got or "")
    for place in places:
        if kind is None or type(place[1]) is kind:
            return place
    return places[0] if places else ((), value)


def _places(value: object, steps: list[str], before: Path = ()) -> Iterator[tuple[Path, object]]:
    if not steps:
        yield before, value
        return
    first, *rest = steps
    if isinstance(value, list):
        for at, entry in enumerate(cast("list[object]", value)):
            if first in {str(at), "..."}:
                yield from _places(entry, rest, (*before, at))
    elif isinstance(value, dict):
        mapping = cast("dict[str, object]", value)
        for name in mapping if first == "..." else (first,):
            yield from _places(mapping.get(name), rest, (*before, name))


def _get(value: object, name: str) -> object:
    return cast("dict[str, object]", value).get(name) if isinstance(value, dict) else None
