"""The environment: which variables are ours, which are Kubernetes', and which are mistakes."""

import re
from pathlib import Path

import pytest

from sidegate.client.environment import KNOWN, MAX_TOLD, unknown

ROOT = Path(__file__).parents[4]
_NAME = re.compile(r"\bSIDEGATE_[A-Z][A-Z_]*[A-Z]\b")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SIDEGATE_SEEDZ", "SIDEGATE_SEEDS"),
        ("SIDEGATE_SECRET_FLIE", "SIDEGATE_SECRET_FILE"),
        ("SIDEGATE_SECRETS", "SIDEGATE_SECRET"),
        ("SIDEGATE_SIDE_CAR", "SIDEGATE_SIDECAR"),
        ("SIDEGATE_SERVICE_NAME", "SIDEGATE_SERVICE"),
        ("SIDEGATE_MAX_MEM", "SIDEGATE_MAX_MEMORY"),
        ("SIDEGATE_UNREACHABLE", "SIDEGATE_ON_UNREACHABLE"),
    ],
)
def test_a_slip_of_the_pen(name: str, meant: str) -> None:
    """A name like one of ours is told with the one that was meant, and without its value."""
    (line,) = unknown({"PATH": "/bin", name: "sesame", "SIDEGATE_SECRET": "sesame"})
    assert line == (
        f"'{name}' is set, but it is no option of sidegate and does nothing; did you mean {meant}?"
    )


@pytest.mark.parametrize("name", ["SIDEGATE_TIMEOUT", "SIDEGATE_", "SIDEGATE_PORT", "SIDEGATE_SOX"])
def test_a_name_like_none_of_ours_is_told_with_no_guess(name: str) -> None:
    (line,) = unknown({name: "7171"})
    assert line.endswith("no option of sidegate and does nothing")


@pytest.mark.parametrize("service", ["", "_PEERS", "_HTTP", "_SIDECAR", "_SECRET_FLIE", "_2"])
def test_what_kubernetes_sets(service: str) -> None:
    """Variables that say where a service is, named like us, are no mistake of anyone."""
    name = f"SIDEGATE{service}"
    told = {
        f"{name}_PORT": "tcp://10.0.0.1:7171",
        f"{name}_SERVICE_HOST": "10.0.0.1",
        f"{name}_SERVICE_PORT": "7171",
        f"{name}_SERVICE_PORT_LINK": "7171",
        f"{name}_PORT_7171_TCP": "tcp://10.0.0.1:7171",
        f"{name}_PORT_7171_TCP_ADDR": "10.0.0.1",
        f"{name}_PORT_7171_TCP_PORT": "7171",
        f"{name}_PORT_7171_TCP_PROTO": "tcp",
        f"{name}_PORT_53_UDP": "udp://10.0.0.1:53",
    }
    assert unknown(told) == []


def test_other_variables_are_not_looked_at_in_another_case_neither() -> None:
    others = {"HOME": "/", "XSIDEGATE_SEEDZ": "x", "sidegate_seedz": "x", "SIDEGATE": "x"}
    assert unknown(others) == []


def test_all_names_that_mean_something_pass_also_empty_ones() -> None:
    assert unknown(dict.fromkeys(KNOWN, "")) == []


def test_of_very_many_and_very_long_names_the_first_20_are_told_and_cut() -> None:
    lines = unknown({f"SIDEGATE_X{at:05}{'x' * 1_000}": "" for at in range(1_000)})
    assert len(lines) == MAX_TOLD
    assert lines[0].startswith("'SIDEGATE_X00000xxx")
    assert max(map(len, lines)) < 200


def test_all_names_of_the_project_are_known() -> None:
    """Each SIDEGATE_ name in a file of the project is known: in its CI, its chart, its docs."""
    named = {name for file in _files() for name in _NAME.findall(file.read_text("utf-8"))}
    assert len(named) > 30
    assert named - KNOWN == set()


def _files() -> list[Path]:
    """Return the text files of the project, but for those with names that are meant to be wrong."""
    listed = [file for file in ROOT.iterdir() if file.is_file()]
    for folder in _FOLDERS:
        listed += [file for file in (ROOT / folder).rglob("*") if file.is_file()]
    return [file for file in listed if file.suffix in _TEXTS and file.name not in _WRONG]


_FOLDERS = (
    ".ci",
    "bench",
    "charts",
    "compose",
    "docs",
    "examples",
    "middleware",
    "sidecar",
    "tests",
)
_TEXTS = {"", ".py", ".md", ".gotmpl", ".yaml", ".yml", ".toml", ".tpl", ".txt", ".json"}
_WRONG = {"environment.py", "test_environment.py", "test_config_wrong.py", "test_unknown.py"}
