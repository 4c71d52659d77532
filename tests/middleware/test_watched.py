"""Watched: files are read when they have changed, and only then."""

import os
from pathlib import Path

import pytest

from sidegate.watched import Watched, stamp
from tests.support.files import replace


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with the text `old`."""
    file = tmp_path / "file"
    file.write_text("old")
    return file


def watched(*files: Path) -> Watched[list[str]]:
    """Return the texts of files, which were read once."""
    texts = Watched([str(file) for file in files], lambda: [file.read_text() for file in files])
    assert texts.value is None
    assert texts.look()
    return texts


def test_it_is_read_when_it_is_written_anew_or_replaced(file: Path) -> None:
    texts = watched(file)
    file.write_text("newer")
    assert texts.look()
    assert texts.value == ["newer"]
    replace(file, "other")
    assert texts.look()
    assert texts.value == ["other"]


def test_what_looks_the_same_is_not_read(file: Path) -> None:
    texts = watched(file)
    looks = file.stat()
    file.write_text("odd")
    os.utime(file, ns=(looks.st_atime_ns, looks.st_mtime_ns))
    assert not texts.look()
    assert texts.value == ["old"]


def test_each_sign_of_a_change_is_enough(file: Path) -> None:
    """A file is read if it is of another age, of another size, or another file."""
    texts, age = watched(file), file.stat().st_mtime_ns
    file.write_text("new")
    os.utime(file, ns=(age, age + 1))
    assert texts.look()
    file.write_text("newer")
    os.utime(file, ns=(age, age + 1))
    assert texts.look()
    replace(file, "other")
    os.utime(file, ns=(age, age + 1))
    assert texts.look()
    assert not texts.look()


def test_when_one_of_several_changes_all_are_read(file: Path) -> None:
    other = file.with_name("other")
    other.write_text("same")
    texts = watched(file, other)
    file.write_text("newer")
    assert texts.look()
    assert texts.value == ["newer", "same"]


def test_a_link_that_is_turned(tmp_path: Path) -> None:
    """As Kubernetes does it: the file is behind two links, and the first of them is turned."""
    for version in ("old", "new"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "file").write_text(version)
    data, file = tmp_path / "..data", tmp_path / "file"
    data.symlink_to("old")
    file.symlink_to("..data/file")
    texts = watched(file)
    assert not texts.look()
    (tmp_path / "turned").symlink_to("new")
    (tmp_path / "turned").replace(data)
    assert texts.look()
    assert texts.value == ["new"]


def test_what_cannot_be_read_changes_nothing(file: Path) -> None:
    """The value from before stays, and each look tries again until it can be read."""
    texts = watched(file)
    file.unlink()
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            texts.look()
        assert texts.value == ["old"]
    file.write_text("newer")
    assert texts.look()
    assert texts.value == ["newer"]


def test_until_it_is_there_nothing_was_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    texts = Watched([str(file)], file.read_text)
    with pytest.raises(FileNotFoundError):
        texts.look()
    assert texts.value is None
    file.write_text("new")
    assert texts.look()
    assert texts.value == "new"


@pytest.mark.parametrize("path", ["missing", "file/below", "no\0path", "x" * 5000])
def test_what_is_no_file_has_no_stamp(path: str, file: Path) -> None:
    """Nor does it raise: reading says what is wrong."""
    assert stamp(f"{file.parent}/{path}") is None
