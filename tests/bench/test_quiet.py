"""A run says whether the machine was quiet, and if not, why."""

import pytest
from bench.quiet import Quiet, spread, steal_ticks, verdict

QUIET = {"load": 0.1, "steal": 0.0, "spread": 0.02}


def test_a_quiet_machine_is_called_so_with_its_figures() -> None:
    assert verdict(QUIET).startswith("quiet: load before 0.10")


@pytest.mark.parametrize("name", QUIET)
def test_each_sign_alone_makes_it_loud_and_is_named(name: str) -> None:
    assert verdict({**QUIET, name: 0.9}).startswith(f"not quiet ({name}): ")


def test_the_spread_is_that_of_nine_loops_of_ten() -> None:
    """One that was held up says nothing."""
    assert round(spread([1.0] * 19 + [9.0]), 6) == 0.0
    assert round(spread([1.0] * 10 + [1.5] * 10), 6) == 0.5


def test_stolen_ticks_are_the_eighth_figure() -> None:
    assert steal_ticks("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 ...") == (8, 36)


def test_a_look_at_this_machine_has_all_figures() -> None:
    quiet = Quiet()
    quiet.look()
    figures = quiet.figures()
    assert figures.keys() == QUIET.keys()
    assert figures["spread"] >= 0
