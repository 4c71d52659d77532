"""How long a check waits for those who know: a bit longer each time, and not twice in vain."""

from sidegate_sidecar.node.patience import LEAST, VAIN_FOR, Patience

MS = 10**6  # ns
NOW = 10**15


def test_pauses_get_longer_and_end_in_time() -> None:
    """A check of 40 ms is tried some times, and for the last time before it is due."""
    patience, now, pauses = Patience(), NOW, list[int]()
    while pause := patience.pause(NOW, NOW + 40 * MS, now):
        pauses.append(pause)
        now += pause
    assert pauses == sorted(pauses)
    assert pauses[0] == LEAST
    assert 5 < len(pauses) < 15
    assert NOW + 30 * MS < now < NOW + 40 * MS


def test_after_a_wait_in_vain_nobody_waits_for_a_second() -> None:
    patience = Patience()
    patience.lose(NOW)
    for later, waits in ((0, False), (VAIN_FOR - 1, False), (VAIN_FOR, True)):
        now = NOW + later
        assert bool(patience.pause(now, now + 40 * MS, now)) == waits
