"""Whatever stands in a rules file: it is right, or each of its mistakes is told. Nothing else."""

import json
import tomllib
from contextlib import suppress
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.ruleset.invalid import RulesError
from sidegate.ruleset.ruleset import RuleSet, decode_rules, read_rules
from sidegate_sidecar.rules_file.rules_file import UnusableFile, rules_in
from tests.middleware.ruleset.asked import PROXY, TRUSTED, asgi
from tests.sidecar.rules_file.test_reading import TOML, YAML

PIECES: Final = (
    *("rules", "name", "limits", "plan:api", "header:x", "5/minute", "10 %", "client", "<<", "*a"),
    *("&a ", "- ", ": ", "? ", "| ", "> ", "[", "]", "{", "}", '"', "'", "\n", "  ", "\t", "#"),
    *("!!python/object:os.system ", "!<x>", "%YAML 1.1\n", "---\n", "...\n", "0x", "1e9", ".inf"),
    *("2027-01-31", "null", "~", "\ufeff", "\x00", "\x85", "\u2028", "\U0001f600", "`", "$", "."),
    *("a` - at `$.rules[9]", "[[rules]]", "[plans]", " = ", '"""', "99999999999999999999999"),
)  # fmt: skip


def read(file: str, content: bytes) -> None:
    """Read what stands in a file: it is right and can be used, or each mistake is told."""
    found: RuleSet | UnusableFile
    try:
        found = rules_in(file, content)
    except UnusableFile as error:
        found = error
    if isinstance(found, UnusableFile):
        lines = len(content.decode(errors="replace").splitlines()) + 2  # as YAML counts them
        assert all(0 < it.line <= lines and it.why for it in found.wrong)
        assert str(found)
        return
    assert decode_rules(found.encoded).digest == found.digest
    found.questions(asgi("/api/x", lines=[("host", "a")], peer=PROXY, proxies=TRUSTED), 0.0)


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@st.composite
def changed(draw: st.DrawFn, whole: str) -> str:
    """Draw a text with some of its pieces left out, doubled, or replaced."""
    text = whole
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 12)))
        piece = draw(st.sampled_from(PIECES) | st.just(text[at:end] * 2) | st.text(max_size=4))
        text = text[:at] + piece + text[end:]
    return text


@given(changed(YAML))
def test_changed_yaml(text: str) -> None:
    read("f.yaml", as_bytes(text))


@given(changed(TOML))
def test_changed_toml(text: str) -> None:
    read("f.toml", as_bytes(text))


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=40).map("".join))
@pytest.mark.parametrize("file", ["f.yaml", "f.toml"])
def test_random_text(file: str, text: str) -> None:
    read(file, as_bytes(text))


@given(st.binary(max_size=200))
@pytest.mark.parametrize("file", ["f.yaml", "f.toml"])
def test_random_bytes(file: str, content: bytes) -> None:
    read(file, content)


WORDS = st.sampled_from(["api", "free", "header:x", "5/minute", "plan:api", "/a", "*", "1 %", ""])
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=6) | WORDS
NAMES = st.sampled_from(
    ["version", "rules", "plans", "tenants", "exempt", "defaults", "name", "limits", "match", "key",
     "cost", "mode", "in_flight", "path", "methods", "host", "headers", "id", "plan", "default",
     "overrides", "sync"]
) | st.text(max_size=6)  # fmt: skip
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda it: st.lists(it, max_size=4) | st.dictionaries(NAMES, it, max_size=5)
)


@given(ANYTHING, st.sampled_from(["rules", "plans", "tenants", "exempt", "defaults", "version"]))
def test_random_data(value: Any, section: str) -> None:
    """In each section of a file that is right elsewhere; in JSON, it is YAML too."""
    whole: dict[str, Any] = {**tomllib.loads(TOML.replace("2027-01-31", '"2027-01-31"'))}
    for data in (value, {**whole, section: value}, {**whole, "rules": [value]}):
        with suppress(RulesError):
            read_rules(data)
        read("f.yaml", json.dumps(data).encode())
