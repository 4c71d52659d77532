"""Where a state file may be: places that are refused, damaged files, links, and permissions."""

import os
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sidegate_sidecar.config import OptionError
from sidegate_sidecar.persistence.state_file import require_place
from tests.sidecar.persistence.lives import Life, saved, unfinished, warnings

NOBODY = 65_534


def test_a_folder_in_its_place_stays(path: Path, log: pytest.LogCaptureFixture) -> None:
    """A folder is not ours to move; that nothing can be saved there is said twice, in all."""
    path.mkdir()
    (path / "precious").touch()
    node = Life(path)
    assert node.file.load() == 0
    (warning,) = warnings(log)
    assert "expected a file" in warning
    assert warning.endswith("it stays, and nothing can be saved")
    assert [node.save() for _ in range(3)] == [0, 0, 0]
    assert len(warnings(log)) == 1
    assert (path / "precious").exists()
    assert unfinished(path) == []


def test_a_damaged_file_that_cannot_be_kept_is_said(
    path: Path, log: pytest.LogCaptureFixture
) -> None:
    """Where PATH.damaged can't be written, the file stays until the next save."""
    path.write_bytes(b"damaged")
    path.with_name(path.name + ".damaged").mkdir()
    assert Life(path).file.load() == 0
    (warning,) = warnings(log)
    assert f"it can't be kept as {path}.damaged (Is a directory)" in warning
    assert path.read_bytes() == b"damaged"


@contextmanager
def unprivileged() -> Generator[Path]:
    """Be a user without rights, also where tests run as root; gives a folder that all can enter."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        if root:
            os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            if root:
                os.seteuid(0)


def test_a_file_without_permission_is_not_used(log: pytest.LogCaptureFixture) -> None:
    """A file that we may not read is kept aside as a damaged one is."""
    with unprivileged() as folder:
        path = folder / "state"
        path.touch(mode=0)
        assert Life(path).file.load() == 0
        (warning,) = warnings(log)
        assert "it can't be read (Permission denied), expected a file that this user may" in warning
        assert [other.name for other in folder.iterdir()] == ["state.damaged"]


def test_a_folder_that_cannot_be_written_to_is_refused() -> None:
    """Where nothing could ever be saved, the sidecar doesn't start: the option is named."""
    with unprivileged() as folder:
        closed = folder / "closed"
        closed.mkdir(mode=0o555)
        with pytest.raises(OptionError, match="Permission denied") as caught:
            Life(closed / "state").file.load()
    assert caught.value.option == "state-file"
    assert caught.value.value == str(closed / "state")


def test_places_that_can_hold_no_file_are_refused(tmp_path: Path) -> None:
    """A missing folder, a file as a folder, a name that is too long, and what is no file."""
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for place, words in (
        ("missing/state", "expected a path in a folder that can be written to: No such file"),
        ("file/state", "can be written to: Not a directory"),
        ("n" * 250, "can be written to: File name too long"),
        ("pipe", "expected a file, not a device, pipe or socket"),
    ):
        with pytest.raises(OptionError) as caught:
            require_place(str(tmp_path / place))
        assert caught.value.option == "state-file"
        assert words in caught.value.why
    with pytest.raises(OptionError, match="not a device"):
        require_place("/dev/null")


def test_a_good_place_is_left_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look at a place leaves nothing there; a bare name is in the folder that we are in."""
    monkeypatch.chdir(path.parent)
    require_place(str(path))
    require_place(path.name)
    assert list(path.parent.iterdir()) == []


def test_what_a_killed_process_left_is_removed(path: Path) -> None:
    """Unfinished files of ours go at the next start; those of a neighbour's state file stay."""
    saved(path)
    for name in (f".{path.name}.abc_123.tmp", f".{path.name}.other.abc_123.tmp", "mine.tmp"):
        (path.parent / name).touch()
    assert Life(path).file.load() == 3
    assert sorted(unfinished(path)) == [f".{path.name}.other.abc_123.tmp", "mine.tmp"]


def test_a_symbolic_link_is_followed(path: Path, tmp_path: Path) -> None:
    """What it points to is replaced, beside its place, and the link stays; there or not yet."""
    volume = tmp_path / "volume"
    volume.mkdir()
    path.symlink_to(volume / "buckets")
    require_place(str(path))
    for _ in range(2):
        saved(path)
        assert path.is_symlink()
        assert [it.name for it in volume.iterdir()] == ["buckets"]
        assert Life(path).file.load() == 3


def test_a_link_to_itself_is_refused(path: Path) -> None:
    path.symlink_to(path)
    with pytest.raises(OptionError, match="expected a file, not a link to itself"):
        Life(path).file.load()


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    """Keys may be addresses or tokens of people: no one else may read them."""
    path.touch(mode=0o644)
    saved(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert unfinished(path) == []
