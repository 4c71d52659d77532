"""Tools that Go builds for the tests: what is said when it can't."""

from pathlib import Path

import pytest

from tests.support.deploy import go, tools

UNREACHABLE = "http://127.0.0.1:9"  # discard: nobody listens


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            'go: downloading a v1\ngo: a@v1: Get "https://x/a.zip": dial tcp: no such host\nexit 1',
            'can\'t download a source: go: a@v1: Get "https://x/a.zip": dial tcp: no such host',
        ),
        ("# a/b\nb.go:1:2: undefined: c\n\n", "b.go:1:2: undefined: c"),
        ("go: downloading a v1\n", "it didn't say why"),
    ],
)
def test_a_failure_is_told_in_one_line(said: str, reason: str) -> None:
    """That of a download, or else the last that is there."""
    assert go.reason(said) == reason


def test_a_build_whose_sources_cant_be_fetched_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and leaves nothing behind that could be taken for a tool."""
    if go.find() is None:
        pytest.skip(go.NO_GO)
    monkeypatch.setenv("GOPROXY", UNREACHABLE)
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    with pytest.raises(go.GoError, match=r"^go install: can't download a source: .*127\.0\.0\.1:9"):
        tools.install("helm-docs", tmp_path / "tools")
    assert [it.name for it in (tmp_path / "tools").iterdir()] == [".lock"]


def test_a_tool_of_another_version_is_built_anew(tmp_path: Path) -> None:
    """One of the wanted version isn't."""
    made: list[str] = []

    def build(folder: Path) -> Path:
        made.append(folder.name)
        (folder / "made").touch()
        return folder / "made"

    for version in ("1", "1", "2"):
        tools.keep("tool", version, build, tmp_path)
    assert len(made) == 2
    assert (tmp_path / "tool.version").read_text() == "2"
