"""When a node asks by its ring, and when it waits since that changes all the time."""

from sidegate_sidecar.replication.debounce import HOLD_AT_MOST, QUIET_FOR, Debounce

NOW = 10**15


def held(changes: list[int], until: int, step: int = QUIET_FOR // 4) -> list[int]:
    """Return when it is waited for, of all moments up to one; the ring changes at some of them."""
    debounce = Debounce()
    found: list[int] = []
    for at in range(0, until, step):
        if at in changes:
            debounce.changed()
        if debounce.holds(NOW + at):
            found.append(at)
    return found


def test_a_change_now_and_then_holds_nobody_up() -> None:
    assert held([], QUIET_FOR) == []
    assert held([0, QUIET_FOR, 3 * QUIET_FOR], 5 * QUIET_FOR) == []


def test_of_many_changes_the_first_is_asked_about_and_then_the_last() -> None:
    step = QUIET_FOR // 4
    changes = [0, step, 2 * step, 5 * step]
    assert held(changes, 20 * step) == [at * step for at in range(1, 9)]


def test_where_changes_never_end_it_is_asked_now_and_then() -> None:
    step = QUIET_FOR // 4
    until = 4 * HOLD_AT_MOST
    let_go = {*range(0, until, step)} - {*held([*range(0, until, step)], until)}
    assert let_go == {0, *range(0, until, HOLD_AT_MOST)}


def test_it_is_waited_for_no_longer_than_until_the_ring_is_at_rest() -> None:
    debounce = Debounce()
    for _ in range(2):
        debounce.changed()
        debounce.holds(NOW)
    assert debounce.holds(NOW + QUIET_FOR - 1)
    assert not debounce.holds(NOW + QUIET_FOR)
