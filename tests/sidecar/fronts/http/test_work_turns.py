"""Whose turn it is."""

from sidegate_sidecar.fronts.http.work_turns import WorkTurns


def test_places_take_turns() -> None:
    """Who is alone at its place waits for one of each other place, and not for all of them."""
    turns: WorkTurns[str] = WorkTurns()
    for at in range(10):
        turns.add(f"many{at}", "many")
    turns.add("one", "elsewhere")
    assert "one" in {turns.next(), turns.next()}


def test_of_a_place_it_is_the_last_and_the_first_in_turn() -> None:
    """The newest is of use, the oldest doesn't wait for ever."""
    turns: WorkTurns[int] = WorkTurns()
    for at in range(6):
        turns.add(at, "here")
    assert [turns.next() for _ in range(6)] == [0, 5, 1, 4, 2, 3]
    assert not turns


def test_a_worker_waits_once() -> None:
    """Adding it again changes nothing."""
    turns: WorkTurns[int] = WorkTurns()
    turns.add(1, "here")
    turns.add(1, "here")
    assert turns.next() == 1
    assert not turns


def test_a_worker_that_is_gone_has_no_turn() -> None:
    """It is removed, and so is its place when it was the last there."""
    turns: WorkTurns[int] = WorkTurns()
    turns.add(1, "here")
    turns.add(2, "there")
    turns.remove(1, "here")
    turns.remove(3, "nowhere")
    assert turns.next() == 2
    assert not turns
