"""What the page about `sidegate rules import` shows is what the command says."""

import re
from pathlib import Path
from typing import Final

import pytest

from sidegate_sidecar.cli import commands
from tests.docs.pages import ROOT

PAGE: Final = (ROOT / "docs/running/rules-import.md").read_text("utf-8")


def test_the_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rules, and then what is left out; a sidecar could use them."""
    monkeypatch.chdir(tmp_path)
    ((file, text),) = re.findall(
        r"^```yaml\n# (\w+\.yaml)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL
    )
    Path(file).write_text(f"# {file}\n{text}")
    ((command, said),) = re.findall(
        r"^```sh\nsidegate (.*?)\n```\n\n```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL
    )
    code = commands.run(command.split())
    out, err = capsys.readouterr()
    assert (code, out + err) == (1, said)
    Path("rules.yaml").write_text(out)
    assert commands.run(["rules", "validate", "rules.yaml"]) == 0
