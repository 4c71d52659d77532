"""Records: what is counted as it comes, and streams seen as one."""

from sidegate.buckets.decision import Source
from sidegate_sidecar.loadtest.send.outcome import Outcome, OutcomeKind
from sidegate_sidecar.loadtest.send.record import Records
from tests.sidecar.loadtest.records import DENIED, note


def test_each_request_is_of_one_kind() -> None:
    """What a policy answered is neither admitted nor denied; an error is one, whoever decided."""
    records = Records(1)
    for source in (Source.OWNER, Source.OPEN, None):
        for outcome in (Outcome.ADMITTED, DENIED, Outcome.FAILED, Outcome.HELD_BACK):
            note(records, 0.0, outcome, source=source)
    assert records.kinds == [
        {
            OutcomeKind.ADMITTED: 2,
            OutcomeKind.DENIED: 2,
            OutcomeKind.BY_POLICY: 2,
            OutcomeKind.ERRORS: 3,
            OutcomeKind.HELD_BACK: 3,
        }
    ]
    (record,) = records.streams
    assert [record.kind(number) for number in range(5)] == [
        *(OutcomeKind.ADMITTED, OutcomeKind.DENIED, OutcomeKind.ERRORS, OutcomeKind.HELD_BACK),
        OutcomeKind.BY_POLICY,
    ]


def test_streams_can_be_seen_as_one() -> None:
    """In the order in which their requests were due; nothing else is changed."""
    records = Records(2)
    note(records, 1.0, DENIED, stream=0, key=1, took=0.5, late=0.25)
    note(records, 3.0, stream=0, key=2)
    note(records, 2.0, Outcome.FAILED, stream=1, key=3, source=None)
    records.error("status 500")
    (record,) = (whole := records.together()).streams
    assert list(zip(record.planned, record.keys, strict=True)) == [(1.0, 1), (2.0, 3), (3.0, 2)]
    assert (record.started[0], record.ended[0]) == (1.25, 1.75)
    assert record.outcomes.tolist() == [DENIED, Outcome.FAILED, Outcome.ADMITTED]
    assert record.source(2) is Source.OWNER
    assert whole.kinds == [{OutcomeKind.DENIED: 1, OutcomeKind.ERRORS: 1, OutcomeKind.ADMITTED: 1}]
    assert whole.errors == {"status 500": 1}
    assert (whole.in_flight, whole.max_in_flight) == (0, records.max_in_flight)
