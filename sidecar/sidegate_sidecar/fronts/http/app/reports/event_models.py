"""What reports of events are asked for and how they are answered over the HTTP API."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, Field, RootModel

from sidegate.reports.event_report import EventsBy, require_event
from sidegate_sidecar.fronts.http.app.reports.report_models import AnsweringNodes, ReportResponse

EventInQuery = Annotated[
    str | None,
    BeforeValidator(require_event),
    Query(
        description="An event that apps record by `client.record`, in place of checks. Then rows"
        " are by `key`, `node` or `time`.",
        examples=["signup"],
    ),
]


class SumsOfEvents(BaseModel):
    """How often an event was recorded."""

    count: int = Field(description="How often; of a key at most.", examples=[412])
    sum: float = Field(description="The sum of the values; of a key at most.", examples=[412.0])


class EventsOfKey(SumsOfEvents):
    """One key: how often it came at most, and by how much less that may have been."""

    key: str = Field(description="As `--report-keys` shows it.", examples=["DE"])
    event: str = Field(description="Its event.", examples=["signup"])
    node: str = Field(description="The node that has counted it: its owner.", examples=["node-b"])
    count_error: int = Field(description="By how much less the count may be.", examples=[0])
    sum_error: float = Field(description="By how much less the sum may be.", examples=[0.0])


class EventsOfNode(SumsOfEvents):
    """What one node has counted."""

    node: str = Field(description="Its name.", examples=["node-b"])


class EventsOfTime(SumsOfEvents):
    """One second or minute."""

    time: int = Field(description="When it began, in Unix seconds.", examples=[1795500000])


class EventReportResponse(BaseModel):
    """What the apps of all nodes have recorded of late, as far as the nodes have answered."""

    last: float = Field(description="Seconds that were asked for.", examples=[300.0])
    covers: float = Field(
        description="Seconds that the rows are of: keys are counted by whole minutes.",
        examples=[300.0],
    )
    event: str = Field(description="The event that was asked for.", examples=["signup"])
    by: EventsBy = Field(description="Of what the rows are.", examples=["key"])
    nodes: AnsweringNodes = Field(description="Which nodes it is of.")
    totals: SumsOfEvents = Field(description="All of the last so many seconds.")
    rows: list[EventsOfKey | EventsOfNode | EventsOfTime] = Field(
        description="The largest sum first; by `time` the oldest first."
    )


class EitherReport(RootModel[ReportResponse | EventReportResponse]):
    """A report of checks or, with `event`, of what apps have recorded."""
