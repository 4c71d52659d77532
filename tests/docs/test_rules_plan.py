"""What the page about `sidegate rules plan` shows is what the command says."""

import re
from pathlib import Path
from typing import Final

import pytest

from sidegate_sidecar.cli import commands
from tests.docs.pages import ROOT
from tests.sidecar.rules_plan.logs import common

PAGE: Final = (ROOT / "docs/running/rules-plan.md").read_text("utf-8")
FILES: Final = re.findall(r"^```yaml\n# (\w+\.yaml)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SAID: Final = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
OURS: Final = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LOG: Final = [
    *[common(at, "/login", "POST") for at in range(8)],
    *[common(at, f"/api/{at}", client="2001:db8::1") for at in range(53, 57)],
]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(FILES) == 2
    for name, text in FILES:
        Path(name).write_text(text)
    Path("access.log").write_text("\n".join(f'{line} "-" "curl"' for line in LOG))


def test_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    """Of its two files, and eight requests to log in and four to the API."""
    (said,) = SAID
    assert commands.run(["rules", "plan", "old.yaml", "new.yaml", "access.log"]) == 0
    assert [it.rstrip() for it in capsys.readouterr().out.splitlines()] == said.splitlines()


def test_a_line_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = OURS
    Path("access.log").write_text(line)
    command = ["rules", "plan", "old.yaml", "new.yaml", "access.log", "--format", "json"]
    assert commands.run(command) == 0
    assert "access.log (json): 1 line, 1 request," in capsys.readouterr().out
