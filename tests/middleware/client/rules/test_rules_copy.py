"""A copy of rules: whole, for this user only, and believed only if it is so."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from sidegate.client.rules.rules_copy import RulesCopy
from sidegate.ruleset.document import MAX_ENCODED
from tests.support.in_process.rules import rules_of

FIVE, TEN = rules_of("5/minute"), rules_of("10/minute")


@pytest.fixture
def copy(tmp_path: Path) -> RulesCopy:
    made = RulesCopy(tmp_path / "rules.copy")
    made.write(FIVE.digest, FIVE.encoded)
    return made


def test_what_was_written_is_read(copy: RulesCopy) -> None:
    assert copy.read() == (FIVE.digest, FIVE.encoded)
    copy.write(TEN.digest, TEN.encoded)
    assert RulesCopy(str(copy.path)).read() == (TEN.digest, TEN.encoded)


def test_it_is_for_this_user_only_and_leaves_nothing_beside_it(copy: RulesCopy) -> None:
    assert stat.S_IMODE(copy.path.stat().st_mode) == 0o600
    assert list(copy.path.parent.iterdir()) == [copy.path]


@pytest.mark.parametrize("at", [0, 20, 90, -1], ids=["head", "digest", "rules", "end"])
def test_a_damaged_one_is_refused(copy: RulesCopy, at: int) -> None:
    data = bytearray(copy.path.read_bytes())
    data[at] ^= 1
    copy.path.write_bytes(data)
    with pytest.raises(ValueError, match="it isn't whole, or no copy of rules"):
        copy.read()


@pytest.mark.parametrize("size", [0, 1, 17, 40, 82, 83, 100])
def test_half_of_one_is_refused(copy: RulesCopy, size: int) -> None:
    copy.path.write_bytes(copy.path.read_bytes()[:size])
    with pytest.raises(ValueError, match="it isn't whole"):
        copy.read()


def test_a_longer_one_than_can_be_is_not_read_to_its_end(copy: RulesCopy) -> None:
    with copy.path.open("ab") as file:
        file.truncate(100 * MAX_ENCODED)
    with pytest.raises(ValueError, match="it isn't whole"):
        copy.read()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_one_that_others_can_write_is_refused(copy: RulesCopy, mode: int) -> None:
    copy.path.chmod(mode)
    with pytest.raises(ValueError, match="others than this user can write it"):
        copy.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_one_of_another_user_is_refused(copy: RulesCopy) -> None:
    os.chown(copy.path, 12_345, -1)
    with pytest.raises(ValueError, match="others than this user"):
        copy.read()


def test_a_pipe_in_its_place_stalls_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ValueError, match="no regular file"):
        RulesCopy(tmp_path / "pipe").read()


def test_one_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    copy = RulesCopy(tmp_path / "there")
    (tmp_path / "there").mkdir()  # since
    with pytest.raises(OSError, match="directory"):
        copy.write(FIVE.digest, FIVE.encoded)
    assert [it.name for it in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize("path", ["", b"copy", 5, True, "a\0b", "/"])
def test_what_is_no_path_of_a_file_is_an_error_at_once(path: Any) -> None:
    with pytest.raises(ValueError, match=r"rules_copy=.*: expected the path of a file"):
        RulesCopy(path)
