"""Waiting: until something is so."""

import pytest

from sidegate_sidecar.lab.waiting import until


async def test_it_asks_until_it_is_so() -> None:
    """And not once more."""
    answers = iter([False, False, True])

    async def condition() -> bool:
        return next(answers)

    assert await until(condition, within=60, look_every=0)
    assert list(answers) == []


async def test_it_gives_up_in_time() -> None:
    """Not before it has asked once."""
    asked: list[bool] = []

    async def condition() -> bool:
        asked.append(True)
        return False

    assert not await until(condition, within=-1, look_every=60)
    assert asked == [True]


async def test_an_error_ends_it() -> None:
    """What has ended never becomes ready."""

    async def condition() -> bool:
        raise ProcessLookupError("it has ended")

    with pytest.raises(ProcessLookupError):
        await until(condition, within=60, look_every=0)
