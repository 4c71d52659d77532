"""The rules files that the documentation shows are right, and commands say of them what it says."""

# Typed only in part:
# mypy: disable-error-code="import-untyped"

import json
import re
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator

from sidegate.ruleset.schema import json_schema
from sidegate_sidecar.cli import commands
from sidegate_sidecar.rules_file.rules_file import rules_in
from tests.docs.pages import ROOT

PAGE: Final = (ROOT / "docs/running/rules-file.md").read_text("utf-8")
BLOCKS: Final = re.findall(r"^```(yaml|toml)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SAID: Final = re.findall(
    r"^```sh\nsidegate (.*?)\n```\n\n(?:[^`\n]*\n\n)*```text\n(.*?)^```",
    PAGE,
    re.MULTILINE | re.DOTALL,
)
WRONG: Final = "# wrong.yaml\n"
EXAMPLE: Final = ROOT / "examples/rules.yaml"
COMMANDS: Final = re.findall(r"^#   sidegate (.*)$", EXAMPLE.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("kind", "text"), [it for it in BLOCKS if not it[1].startswith(WRONG)])
def test_a_file_on_the_page(kind: str, text: str) -> None:
    """It is right."""
    assert rules_in(f"rules.{kind}", text.encode()).rules


def test_all_blocks_are_looked_at() -> None:
    """Of each language that the page has."""
    assert [kind for kind, _ in BLOCKS] == ["yaml", "toml", "yaml"]
    assert len(SAID) == PAGE.count("```text") == 3


@pytest.mark.parametrize(("command", "said"), SAID)
def test_what_a_command_says(
    command: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of the first file on the page, and of the one that is wrong."""
    monkeypatch.chdir(tmp_path)
    Path("rules.yaml").write_text(BLOCKS[0][1])
    (wrong,) = [text for _, text in BLOCKS if text.startswith(WRONG)]
    Path("wrong.yaml").write_text(wrong)
    code = commands.run(command.split())
    out, err = capsys.readouterr()
    assert (code, out + err) == (1 if "wrong.yaml" in command else 0, said)


def test_the_example_file() -> None:
    """It is right, also by the schema, and uses each field that there is."""
    content = EXAMPLE.read_bytes()
    found = rules_in("rules.yaml", content)
    data: Any = yaml.safe_load(content)
    data["tenants"]["overrides"]["acme"]["until"] = "2027-01-31"  # which PyYAML takes for a date
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    validator: Any = Draft202012Validator(schema)
    assert list(validator.iter_errors(data)) == []
    assert list(validator.iter_errors(json.loads(msgspec.json.encode(found.document)))) == []
    used = {field for rule in data["rules"] for field in rule}
    assert used == {"name", "match", "limits", "key", "mode"}
    wrongs: list[dict[str, Any]] = [{**data, "rule": []}, {**data, "version": 2}, {"version": 1}]
    for wrong in wrongs:
        assert list(validator.iter_errors(wrong))


@pytest.mark.parametrize(
    "command", re.findall(r"^#   sidegate (.*)$", EXAMPLE.read_text(), re.MULTILINE)
)
def test_a_command_of_the_example(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in a checkout."""
    monkeypatch.chdir(ROOT)
    assert commands.run(command.split()) == 0
