"""Records of runs that never were, with the requests that a test wants, and their reports."""

from sidegate.buckets.decision import Source
from sidegate_sidecar.loadtest.judge.assess import assess
from sidegate_sidecar.loadtest.judge.facts import Facts
from sidegate_sidecar.loadtest.judge.report import LoadReport, Promise
from sidegate_sidecar.loadtest.plan.scenario import Expect, Scenario, Stream
from sidegate_sidecar.loadtest.send.outcome import Outcome
from sidegate_sidecar.loadtest.send.record import Records

ADMITTED, DENIED = Outcome.ADMITTED, Outcome.DENIED


def note(
    records: Records,
    at: float,
    outcome: Outcome = ADMITTED,
    *,
    stream: int = 0,
    key: int = 0,
    source: Source | None = Source.OWNER,
    took: float = 0.001,
    late: float = 0.0,
) -> None:
    """Record one request, planned at a time and sent so late."""
    number = records.begin(stream, at, key, at + late)
    records.end(stream, number, outcome, source, at + late + took)
    if outcome is not Outcome.HELD_BACK:
        records.start(stream, number, at + late)


def facts(limit: str = "", expect: Expect | None = None, seconds: float = 10) -> Facts:
    """Return an empty run of one stream."""
    stream = Stream("one", rate=10, limit=limit, expect=expect)
    return Facts(Scenario(seconds, [stream]), Records(1), 1_795_000_000.0, seconds)


def report(run: Facts) -> LoadReport:
    """Return what the report of a run says."""
    urls = [f"http://localhost/{name}" for name in run.scenario.names]
    return assess(run, name="", url="http://localhost", urls=urls, seed=1, prefix="p")


def broken(run: Facts) -> list[str]:
    """Return the promises that were not kept."""
    return [promise.text for promise in report(run).promises if not promise.kept]


def promise(run: Facts, text: str) -> Promise:
    """Return one of the promises."""
    return next(one for one in report(run).promises if one.text == text)
