"""The memory limit of the container, and whether all fits into it."""

from pathlib import Path

import pytest

from sidegate_sidecar.cgroup import memory_limit, memory_needed, warning


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
@pytest.mark.parametrize(
    ("text", "limit"),
    [("536870912\n", 512 << 20), ("max\n", None), ("9223372036854771712\n", None), ("?", None)],
)
def test_the_limit_is_read_from_either_version(
    tmp_path: Path, name: str, text: str, limit: int | None
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert memory_limit(tmp_path) == limit


def test_without_a_cgroup_there_is_no_limit(tmp_path: Path) -> None:
    assert memory_limit(tmp_path) is None


def test_the_defaults_of_the_chart_fit() -> None:
    takes = 256 << 20, 64 << 20, 130 << 20
    assert memory_needed(*takes) == 722 << 20
    assert not warning(*takes, 736 << 20)
    assert not warning(*takes, None)


def test_a_limit_without_room_is_said_with_what_would_fit() -> None:
    """Both ways: less for the buckets, or more for the container."""
    assert warning(256 << 20, 0, 0, 400 << 20) == (
        "--max-memory is 256MiB, and the memory limit of the container is 400MiB: many keys can"
        " have this sidecar killed; set it to 166MiB or raise the limit to 512MiB"
    )
    assert "; raise the limit to 512MiB" in warning(256 << 20, 0, 0, 128 << 20)
    assert "set it to 102MiB or" in warning(256 << 20, 64 << 20, 0, 400 << 20)
