"""What reports are asked for and how they are answered over the HTTP API."""

from typing import Annotated

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sidegate.errors import shown
from sidegate.protocol.report_messages import MAX_TOP, By, ReportQuery
from sidegate.reports.event_report import event_query
from sidegate.reports.questions import (
    report_query,
    require_by,
    require_rule,
    require_top,
    seconds_of,
)

_TOKENS = "Tokens that were charged."


def _readable(last: str) -> str:
    seconds_of(last)
    return last


Last = Annotated[
    str,
    BeforeValidator(_readable),
    Query(
        description="How far back: `90s`, `5m`, `1h30m`; up to 3 hours, of keys up to 10 minutes.",
        examples=["5m"],
    ),
]
RuleInQuery = Annotated[
    str | None,
    BeforeValidator(require_rule),
    Query(
        description="Only keys of this rule, which is what is before their first colon; `other`"
        " has the rest.",
        examples=["api"],
    ),
]
RowsBy = Annotated[
    By,
    BeforeValidator(require_by),
    Query(
        description="Of what the rows are. By `time` there is one for each second, or for each"
        " minute of more than ten."
    ),
]
Top = Annotated[
    int,
    BeforeValidator(require_top),
    Query(ge=1, le=MAX_TOP, description="How many rows at most; by `time` there are all."),
]


def _query(rule: str | None, event: str | None, last: str, by: str, top: int) -> ReportQuery:
    if event is None:
        return report_query(rule, last, by, top)
    if rule is not None:
        raise ValueError(f"rule={shown(rule)}: expected no rule beside an event")
    return event_query(event, last, by, top)


def asked(rule: str | None, event: str | None, last: str, by: str, top: int) -> ReportQuery:
    """Return the question; RequestValidationError where what makes sense by itself doesn't here."""
    try:
        return _query(rule, event, last, by, top)
    except ValueError as error:
        field = str(error).partition("=")[0]
        fault = {"type": "value_error", "loc": ("query", field), "ctx": {"error": error}}
        raise RequestValidationError([fault]) from None


class AnsweringNodes(BaseModel):
    """Which nodes a report is of."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"answered": 6, "of": 6, "missing": []}]}
    )

    answered: int = Field(description="How many have answered, within 250 ms.")
    of: int = Field(description="Of how many, with those that died within the last ten minutes.")
    missing: list[str] = Field(description="Names of up to 100 that haven't answered.")


class Sums(BaseModel):
    """Checks by what became of them."""

    allowed: int = Field(description="Checks that were allowed.", examples=[980])
    denied: int = Field(description="Checks that were denied.", examples=[20])
    shadowed: int = Field(
        description="Checks that were denied, and let through since their rule only looks.",
        examples=[0],
    )
    errors: int = Field(
        description="Checks that could not be decided, such as for a cost above the burst.",
        examples=[0],
    )
    cost: int = Field(description=_TOKENS, examples=[980])


class RowOfKey(BaseModel):
    """One key: how often it came at most, and by how much less that may have been."""

    key: str = Field(description="As `--report-keys` shows it.", examples=["api:customer-7"])
    rule: str = Field(description="Its rule.", examples=["api"])
    node: str = Field(description="The node that has counted it: its owner.", examples=["node-b"])
    asked: int = Field(description="How often it was asked about, at most.", examples=[412])
    asked_error: int = Field(description="By how much less that may have been.", examples=[0])
    denied: int = Field(description="How often it was denied, at most.", examples=[20])
    denied_error: int = Field(description="By how much less that may have been.", examples=[0])


class RowOfRule(Sums):
    """One rule."""

    rule: str = Field(description="Its name.", examples=["api"])


class RowOfSource(Sums):
    """What one source has decided."""

    source: str = Field(description="Who decided.", examples=["owner"])


class RowOfNode(Sums):
    """What one node has decided."""

    node: str = Field(description="Its name.", examples=["node-b"])


class RowOfTime(Sums):
    """One second or minute."""

    time: int = Field(description="When it began, in Unix seconds.", examples=[1795500000])


class ReportResponse(BaseModel):
    """What all nodes have decided of late, as far as they have answered."""

    last: float = Field(description="Seconds that were asked for.", examples=[300.0])
    covers: float = Field(
        description="Seconds that the rows are of: keys are counted by whole minutes.",
        examples=[300.0],
    )
    rule: str | None = Field(description="The rule that was asked for.", examples=["api"])
    by: By = Field(description="Of what the rows are.", examples=["rule"])
    nodes: AnsweringNodes = Field(description="Which nodes it is of.")
    error: int = Field(description="No count of a key is further off than this.", examples=[0])
    totals: Sums = Field(description="All checks of the last so many seconds.")
    rows: list[RowOfKey | RowOfRule | RowOfSource | RowOfNode | RowOfTime] = Field(
        description="The most denied first; by `time` the oldest first."
    )
