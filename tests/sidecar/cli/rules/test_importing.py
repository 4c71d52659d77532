"""`sidegate rules import`: a rules file from an envoyproxy/ratelimit configuration."""

from pathlib import Path

import pytest

from tests.sidecar.ratelimit_yaml.examples import MESSAGING, PER_IP, long_domain
from tests.support.in_process.commands import Run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("limits.yaml").write_text(MESSAGING)


def test_a_file_is_written(run: Run) -> None:
    """To stdout or to a new file, which then is valid."""
    ending = run("rules", "import", "limits.yaml")
    assert (ending.code, ending.err) == (0, "")
    assert "  # line 9: to_number\n" in ending.out
    into = run("rules", "import", "limits.yaml", "-o", "rules.yaml")
    assert (into.code, into.out, into.err) == (0, "", "")
    assert Path("rules.yaml").read_text() == ending.out
    assert run("rules", "validate", "rules.yaml").out.startswith("rules.yaml: 2 rules; digest ")
    again = run("rules", "import", "limits.yaml", "-o", "rules.yaml")
    assert again.complaint == "sidegate: rules.yaml: file exists\n"
    named = run("rules", "import", "limits.yaml", "--descriptor", "to_number=X-To")
    assert 'key: "header:x-to"' in named.out


def test_what_cant_be_said_is_told_by_its_line(run: Run) -> None:
    """On stderr, and the exit code says so."""
    Path("limits.yaml").write_text(PER_IP)
    ending = run("rules", "import", "limits.yaml")
    assert ending.code == 1
    assert ending.err == (
        "limits.yaml:6: descriptors[1]: an address (50.0.0.5): no rule is for one, but exempt may"
        " have it\n"
    )
    assert "# 1 of what stands there can't be said here, and was left out.\n" in ending.out


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("domain: d\ndescriptors: 5\n", "limits.yaml:2: descriptors '5': expected a list"),
        ("{", "limits.yaml:2: expected YAML: "),
        ('domain: "\\e[1m"\nother: 1\n', "limits.yaml:2: 'other': expected one of domain"),
    ],
)
def test_a_file_that_cant_be_read(run: Run, content: str, complaint: str) -> None:
    Path("limits.yaml").write_text(content)
    ending = run("rules", "import", "limits.yaml")
    assert ending.code == 2
    assert ending.complaint.startswith(f"sidegate: {complaint}")


def test_a_file_that_is_not_there_and_wrong_options(run: Run) -> None:
    ending = run("rules", "import", "none.yaml")
    assert ending.complaint == "sidegate: none.yaml: no such file or directory\n"
    for text in ("a", "=b", "a="):
        ending = run("rules", "import", "limits.yaml", "--descriptor", text)
        assert ending.code == 2
        assert ending.complaint.startswith("sidegate: --descriptor ")


def test_nothing_is_shown_that_a_terminal_would_obey(run: Run) -> None:
    Path("limits.yaml").write_text(
        'domain: "\\e[1m"\ndescriptors:\n- {key: "\\e[2m", rate_limit: {unit: day}}\n'
        '- {key: a, value: "\\e[3m", rate_limit: {unit: day}}\n'
    )
    ending = run("rules", "import", "limits.yaml")
    assert ending.code == 1
    assert "\x1b" not in ending.out + ending.err
    Path("rules.yaml").write_text(ending.out)
    assert run("rules", "validate", "rules.yaml").code == 0


def test_rules_that_make_no_file(run: Run) -> None:
    """More bytes than a sidecar reads of one."""
    Path("limits.yaml").write_text(long_domain(38))
    ending = run("rules", "import", "limits.yaml")
    assert ending.complaint == "sidegate: limits.yaml: makes more than 524,288 bytes of rules\n"
