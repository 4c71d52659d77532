"""What a link is good for: where each event leads, and what becomes of a suspect."""

import pytest

from sidegate.link.health import HUNG_AFTER, Health, LinkEvent, LinkProbe, LinkState

EVENTS = (
    LinkEvent.SHAKEN,
    LinkEvent.SILENT,
    LinkEvent.HEARD,
    LinkEvent.LOST,
    LinkEvent.HURRIED,
    LinkEvent.CLOSED,
)
CONNECTING, UP, SUSPECT, DOWN, CLOSED = LinkState
____ = None  # it stays as it is
TABLE: dict[LinkState, tuple[LinkState | None, ...]] = {
    # after     shaken silent   heard lost  hurried     closed
    CONNECTING: (UP,   DOWN,    ____, DOWN, ____,       CLOSED),
    UP:         (____, SUSPECT, ____, DOWN, ____,       CLOSED),
    SUSPECT:    (UP,   ____,    UP,   DOWN, ____,       CLOSED),
    DOWN:       (UP,   ____,    ____, ____, CONNECTING, CLOSED),
    CLOSED:     (____, ____,    ____, ____, ____,       ____),
}  # fmt: skip


def health(state: LinkState, since: float = 0.0) -> Health:
    """Return the health of a link in some state."""
    it = Health()
    it.state, it.suspect_since = state, since
    return it


def test_a_link_begins_with_a_dial_that_checks_wait_for() -> None:
    assert Health().state is CONNECTING


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("before", LinkState)
def test_each_event_leads_to_one_state(before: LinkState, event: LinkEvent) -> None:
    """And is told whether that is another one."""
    it = health(before)
    after = TABLE[before][EVENTS.index(event)]
    assert it.step(event, 100.0) is (after is not None)
    assert it.state is (after or before)


@pytest.mark.parametrize("state", LinkState)
def test_checks_are_taken_when_they_can_be_sent_or_wait(state: LinkState) -> None:
    assert health(state).takes_checks is (state in {CONNECTING, UP})


@pytest.mark.parametrize("state", [CONNECTING, UP, DOWN, CLOSED])
def test_only_a_suspect_is_probed(state: LinkState) -> None:
    assert health(state).probe(100.0) is LinkProbe.NONE


@pytest.mark.parametrize(
    ("silent_for", "what"),
    [(0.0, LinkProbe.PING), (HUNG_AFTER, LinkProbe.PING), (HUNG_AFTER + 0.1, LinkProbe.GIVE_UP)],
)
def test_a_suspect_is_pinged_until_it_is_given_up(silent_for: float, what: LinkProbe) -> None:
    it = health(UP)
    it.step(LinkEvent.SILENT, 100.0)
    assert it.probe(100.0 + silent_for) is what


def test_more_silence_does_not_put_off_its_end() -> None:
    """A suspect is given up so long after it became one, whoever else goes without an answer."""
    it = health(UP)
    it.step(LinkEvent.SILENT, 100.0)
    assert not it.step(LinkEvent.SILENT, 100.0 + HUNG_AFTER)
    assert it.probe(100.1 + HUNG_AFTER) is LinkProbe.GIVE_UP


def test_a_suspect_that_was_trusted_again_has_all_the_time_anew() -> None:
    it = health(UP)
    it.step(LinkEvent.SILENT, 100.0)
    it.step(LinkEvent.HEARD, 104.0)
    it.step(LinkEvent.SILENT, 104.5)
    assert it.probe(104.0 + HUNG_AFTER) is LinkProbe.PING
