"""The processes that run simulations: results in their order, and the memory of all together."""

import pytest

from tests.simulation import __main__ as command
from tests.simulation.workers import MAX_BYTES, Workers

SIZE = 100 * 10**6


def squared(number: int) -> int:
    return number * number


def filled(size: int) -> int:
    """Touch so many bytes, and let go of them."""
    return len(bytearray(size).replace(b"\0", b"x"))


def test_results_come_in_their_order() -> None:
    with Workers() as workers:
        assert list(workers.map(squared, range(10), chunk=3)) == [it * it for it in range(10)]


def test_the_peak_is_that_of_all_processes() -> None:
    """What a worker took at its worst counts also when it has given it back."""
    with Workers() as workers:
        assert list(workers.map(squared, range(2))) == [0, 1]
        before = workers.peak
        assert list(workers.map(filled, [SIZE])) == [SIZE]
        assert workers.peak - before > SIZE


@pytest.mark.parametrize(("peak", "faults"), [(MAX_BYTES, 0), (MAX_BYTES + 1, 1)])
def test_too_much_memory_is_a_fault(peak: int, faults: int) -> None:
    assert len(command._too_much(peak)) == faults
