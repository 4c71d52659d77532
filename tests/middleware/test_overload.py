"""What the log says of a process in trouble: each kind at once, and then once a minute."""

from __future__ import annotations

from sidegate.overload import REMIND_EVERY, Overload, Trouble


def test_first() -> None:
    """The first check of a kind is told at once."""
    assert Overload().decided(Trouble.BUSY, 5.0) == (
        "sidegate: this process is too busy to hear its sidecar in time:"
        " 1 check was decided by its own share"
    )


def test_once_a_minute() -> None:
    """The others are counted, and told a minute later."""
    overload = Overload()
    overload.decided(Trouble.BUSY, 5.0)
    assert not any(overload.decided(Trouble.BUSY, 6.0) for _ in range(1_234))
    told = overload.decided(Trouble.BUSY, 5.0 + REMIND_EVERY)
    assert told.endswith(": 1,235 checks were decided by its own share")
    assert not overload.decided(Trouble.BUSY, 6.0 + REMIND_EVERY)


def test_by_kind() -> None:
    """Another kind of trouble is told for itself."""
    overload = Overload()
    lines = [overload.decided(trouble, 1.0) for trouble in Trouble]
    assert all(trouble.value in line for trouble, line in zip(Trouble, lines, strict=True))
    assert not any(overload.decided(trouble, 2.0) for trouble in Trouble)
