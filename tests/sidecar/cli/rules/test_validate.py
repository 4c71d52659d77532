"""`sidegate rules validate` and `schema`: what they say of a rules file."""

import json
from pathlib import Path

import pytest

from tests.support.in_process.commands import Run
from tests.support.processes.commands import finish, start

GOOD = "version: 1\nexempt: [/healthz]\nrules:\n- {name: api, limits: 5/minute}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD)
    return path


def test_a_good_file_is_told_by_what_it_holds(run: Run, file: Path) -> None:
    ending = run("rules", "validate", str(file))
    assert ending.code == 0
    assert ending.out.startswith(f"{file}: 1 rule, 1 exempt; digest ")
    told = json.loads(run("rules", "validate", "--json", str(file)).out)
    assert told["valid"] is True
    assert (told["rules"], told["exempt"], told["plans"], told["overrides"]) == (1, 1, 0, 0)
    assert ending.out.strip().endswith(told["digest"][:12])
    file.write_text("version: 1\nrules: []\n")
    assert "rules.yaml: nothing; digest" in run("rules", "validate", str(file)).out


def test_a_bad_file_is_told_line_by_line(run: Run, file: Path) -> None:
    """On stderr, with exit code 1, and nothing in it that a terminal would obey."""
    file.write_text(GOOD.replace("/healthz", '"\\e[1m"').replace("5/minute", "5"))
    ending = run("rules", "validate", str(file))
    assert (ending.code, ending.out) == (1, "")
    assert ending.err.splitlines() == [
        (
            f"{file}:4: rules[0].limits: 5: expected a text (in quotes, if it looks like something"
            " else) or a list"
        )
    ]
    told = run("rules", "validate", "--json", str(file))
    assert (told.code, json.loads(told.out)) == (
        1,
        {
            "valid": False,
            "file": str(file),
            "wrong": [
                {
                    "line": 4,
                    "path": "rules[0].limits",
                    "value": "5",
                    "why": "5: expected a text (in quotes, if it looks like something else)"
                    " or a list",
                }
            ],
        },
    )
    file.write_text(GOOD.replace("name: api", '"\\e[1m": api'))
    assert "\x1b" not in run("rules", "validate", str(file)).err


def test_a_file_that_is_not_there_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        ending = run("rules", "validate", str(path))
        assert (ending.code, ending.out) == (2, "")
        assert ending.err.startswith(f"sidegate: {path}: ")


def test_the_schema_is_printed(run: Run) -> None:
    schema = json.loads(run("rules", "schema").out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


async def test_nothing_of_it_is_imported_without_a_file() -> None:
    """Neither by an app nor by the other commands; a file of TOML needs no YAML."""
    program = (
        "import sys, sidegate, sidegate.asgi.middleware, sidegate_sidecar.process\n"
        "from sidegate_sidecar.cli.commands import whole_app; whole_app()\n"
        "lazy = {f'sidegate_sidecar.rules_{it}' for it in ('file', 'import', 'plan')}\n"
        "early = {*lazy, 'sidegate.ruleset', 'yaml'} & set(sys.modules)\n"
        "from sidegate_sidecar.rules_file.rules_file import rules_in\n"
        "rules_in('a.toml', b'version = 1\\nrules = []')\n"
        "print(early, 'yaml' in sys.modules)"
    )
    code, out, err = await finish(await start("-c", program))
    assert (code, out.strip()) == (0, "set() False"), err
