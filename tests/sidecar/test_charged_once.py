"""A check is charged once, however late its owner, its backup and their words are."""

from __future__ import annotations

import pytest

from tests.sidecar.trio import Trio

SEEDS = range(400)


@pytest.mark.parametrize("asker", ["other", "backup", "owner"])
@pytest.mark.parametrize("checks", [1, 3])
def test_every_order_of_events_charges_a_check_once(asker: str, checks: int) -> None:
    """Whatever comes first, both holders know in the end of as many tokens as were admitted."""
    for seed in SEEDS:
        trio = Trio(seed, asker=asker)
        for at in range(60):
            if at % 15 == 0:
                trio.ask(checks)
            trio.step()
        trio.finish()
        assert trio.asked == len(trio.told) * checks or trio.told, seed
        held = {name: trio.tokens(name) for name in (trio.owner, trio.backup)}
        assert set(held.values()) == {trio.admitted}, (seed, held, trio.admitted)
