"""The share of the loop's time that HTTP may take."""

from sidegate_sidecar.fronts.http.duty import BURST, BUSY_FOR, BUSY_SHARE, IDLE_SHARE, Duty


def _worked(seconds: float, *, busy: bool) -> float:
    """Return the work that a second of ever more pieces of 0.1 ms has room for."""
    duty, now, worked, asked = Duty(), 0.0, 0.0, 0
    while now < seconds:
        now += duty.wait(now)
        now, worked, asked = now + 0.0001, worked + 0.0001, asked + busy
        duty.spend(0.0001, now, asked)
    return worked


def test_it_takes_its_share_while_checks_come() -> None:
    """Over ten seconds it is that share, and no more than a burst beside it."""
    assert _worked(10, busy=True) <= 10 * BUSY_SHARE + BURST
    assert _worked(10, busy=True) >= 9 * BUSY_SHARE


def test_it_takes_more_while_nobody_asks() -> None:
    assert 9 * IDLE_SHARE <= _worked(10, busy=False) <= 10 * IDLE_SHARE + BURST


def test_a_little_work_never_waits() -> None:
    """A probe finds it ready, however busy the checks are."""
    duty = Duty()
    for second in range(100):
        assert duty.wait(float(second)) == 0
        duty.spend(0.0003, float(second), second)


def test_checks_count_for_a_moment_after_they_came() -> None:
    """Who has asked once may ask again."""
    busy, idle = Duty(), Duty()
    busy.spend(0.001, 0.0, 1)
    for duty, now in ((busy, BUSY_FOR * 0.9), (idle, BUSY_FOR * 0.9)):
        duty.spend(0.01, now, 1 if duty is busy else 0)
    assert busy.wait(BUSY_FOR) > idle.wait(BUSY_FOR)
