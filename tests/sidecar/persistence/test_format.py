"""The bytes of a state file: of one that isn't whole, nothing counts, and the log says why."""

from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sidegate_sidecar.persistence.format import MAX_CHUNK
from sidegate_sidecar.persistence.state_file import SLICE
from sidegate_sidecar.replication.corrections.resets import MAX_RESETS, KnownReset
from tests.sidecar.persistence.lives import HOUR, SAVED_AT, Life, saved, warnings

BEGINNING = b"sidegate buckets 1\n"


def refuses(path: Path, log: pytest.LogCaptureFixture) -> str:
    """Load a file that is there and must not be used; return the words of the one warning."""
    held = path.read_bytes()
    node = Life(path)
    assert node.file.load() == 0
    assert len(node.buckets) == 0
    (warning,) = warnings(log)
    assert warning.startswith(f"state file {path}: ")
    assert "expected" in warning
    assert warning.endswith(f"; starting with empty buckets; it is kept as {path}.damaged")
    kept = path.with_name(path.name + ".damaged")
    assert not path.exists()
    assert kept.read_bytes() == held
    kept.unlink()
    return warning


# --- what isn't whole


def test_any_changed_byte_is_noticed(path: Path, log: pytest.LogCaptureFixture) -> None:
    good = saved(path)
    for at in range(len(good)):
        for change in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            path.write_bytes(good[:at] + bytes([good[at] ^ change]) + good[at + 1 :])
            refuses(path, log)


def test_any_missing_end_is_noticed(path: Path, log: pytest.LogCaptureFixture) -> None:
    """Wherever a file ends too early, nothing of it counts; nor if more comes after its end."""
    good = saved(path)
    for size in range(len(good)):
        path.write_bytes(good[:size])
        refuses(path, log)
    for more in (b"\0", good):
        path.write_bytes(good + more)
        assert "more bytes, expected its end" in refuses(path, log)


def test_nothing_counts_of_a_file_with_a_wrong_end(
    path: Path, log: pytest.LogCaptureFixture
) -> None:
    """Many good chunks before a wrong last byte are as good as none."""
    node = Life(path)
    for at in range(4 * SLICE):
        node.take(f"k{at}")
    node.save()
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert "another checksum than expected from its content" in refuses(path, log)


def framed(*chunks: Any) -> bytes:
    """Return chunks with their lengths."""
    encoded = map(msgspec.msgpack.encode, chunks)
    return b"".join(len(chunk).to_bytes(4, "big") + chunk for chunk in encoded)


def whole(saved_at: Any, *chunks: Any, rows: int | None = None) -> bytes:
    """Return a file with a right checksum, whatever is in it."""
    count = sum(len(keys) for chunk in chunks for _, keys, _ in chunk) if rows is None else rows
    body = BEGINNING + framed(saved_at, [], *chunks) + bytes(4) + count.to_bytes(8, "big")
    return body + blake2b(body, digest_size=32).digest()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it starts with '', expected 'sidegate buckets 1': it is no state file"),
        (b"\x7fELF\n" * 99, "it starts with '\\x7fELF', expected 'sidegate buckets 1'"),
        (b"x" * 10**6, "it is no state file"),
        (b"sidegate buckets 2\nwhatever", "'sidegate buckets 2', expected 'sidegate buckets 1'"),
        (b"sidegate buckets 10\n", "it is another version of it"),
        (BEGINNING, "it ends after 19 bytes, expected more: it was cut off"),
        (BEGINNING + b"\xff" * 99, "a chunk of 4,294,967,295 bytes, expected at most 8,388,608"),
        (whole(["noon"]), "Expected `int`, got `str`"),
        (whole([1], [["10/hour", ["k"], [-1]]]), "Expected `int` >= 0"),
        (whole([1], [["10/hour", ["k", "l"], [1]]]), "1 debts for 2 keys, expected one each"),
        (whole([1], [["10/hour; 1/day", ["k"], [1]]]), "what isn't one limit"),
        (whole([1], [["10/hor", ["k"], [1]]]), 'unknown unit "hor"'),
        (whole([1], [["10/hour", ["k"], [1]]], rows=2), "1 buckets, expected 2 as its footer says"),
        (whole([1], 7, rows=0), "what isn't buckets"),
    ],
)
def test_what_is_wrong_is_said(
    content: bytes, words: str, path: Path, log: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(content)
    assert words in refuses(path, log)


def test_the_format_is_as_described(path: Path) -> None:
    """A file made by hand from the description is read."""
    path.write_bytes(whole([SAVED_AT], [["10/hour", ["k"], [HOUR // 10]], ["1/day", ["k"], [5]]]))
    assert Life(path).file.load() == 2


def test_no_file_is_no_accident(path: Path, log: pytest.LogCaptureFixture) -> None:
    """The first start finds none: that is said, but no warning."""
    assert Life(path).file.load() == 0
    assert log.messages == [f"state file {path}: none yet, starting with empty buckets"]
    assert warnings(log) == []
    assert list(path.parent.iterdir()) == []


def test_a_debt_is_bounded_by_its_limit(path: Path) -> None:
    path.write_bytes(whole([SAVED_AT], [["10/hour", ["k"], [2**63]]]))
    node = Life(path)
    assert node.file.load() == 1
    assert node.debts() == {("k", "10/hour"): 2 * HOUR}


def test_the_longest_keys_fit(path: Path) -> None:
    """Keys of 512 bytes under the longest limits make no chunk that isn't read again."""
    before = Life(path)
    for at in range(2 * SLICE):
        before.take(f"{at:0512}", f"{10**11 + at}/9223371 seconds burst {10**11}")
    before.save()
    assert path.stat().st_size > MAX_CHUNK // 8
    assert Life(path).file.load() == 2 * SLICE


def test_resets_of_all_keys_that_begin_so_are_known_again_and_not_walked_for(path: Path) -> None:
    """But for those whose walk wasn't over: the buckets of the file are from before it, in part."""
    before, after = Life(path), Life(path)
    for number, prefix in enumerate(("login:", "api:")):
        before.resets.add(number, KnownReset(prefix, before.now + HOUR, begins=True))
    before.resets.walked(0, 0)
    before.save()
    after.file.load()
    assert after.resets.left(after.now, begins=True) == [(0, "login:", HOUR)]
    assert not after.resets.left(after.now)
    assert 1 not in after.resets


def test_the_most_resets_with_the_longest_keys_fit(path: Path) -> None:
    """As many resets as a node remembers are in one chunk, and are all known again."""
    before, after = Life(path), Life(path)
    for at in range(MAX_RESETS):
        before.resets.add(2**62 + at, KnownReset(f"{at:0512}", before.now + HOUR))
    before.save()
    after.file.load()
    assert after.resets.left(after.now) == before.resets.left(before.now)
