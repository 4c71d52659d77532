"""What goes over the HTTP API about reservations, with the unit of every number."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import BY_NAME, parse_limits
from sidegate.client.holds.committed import Committed
from sidegate.protocol.holds.reservation_messages import (
    MAX_AMOUNT,
    MAX_OWN_ID,
    MAX_RESERVATION_ID,
    MAX_TTL,
)
from sidegate_sidecar.fronts.http.app.models import CheckResponse, fitting

_ID = "r1.laFrrW46MmE3ODUyZjlmOWQxqzIwMDAwL2RhecQT…"


class ReserveRequest(BaseModel):
    """One question: may this key have that many tokens held?"""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"key": "m", "limits": "20000/day", "amount": 5000}]},
    )

    key: str = Field(description="Who is limited: any text of at most 512 bytes in UTF-8.")
    limits: str = Field(
        description="As in a check: one to eight limits, all charged or none, or `@NAME`."
    )
    amount: int = Field(
        strict=True,
        ge=0,
        le=MAX_AMOUNT,
        description="Tokens to hold; cut to what may be held of the smallest burst.",
    )
    ttl: float = Field(
        60.0,
        ge=0.001,
        le=MAX_TTL / 1000,
        description="Seconds after which all is given back that wasn't committed.",
    )
    id: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_OWN_ID,
        description="An id of yours: the same again, with this key, within 10 minutes is the same"
        " reservation, and charges nothing.",
    )
    max_fraction: float = Field(
        1.0, gt=0, le=1, description="The part of the smallest burst that may be held at most."
    )

    @field_validator("key")
    @classmethod
    def _key_fits(cls, key: str) -> str:
        return fitting(key)

    @field_validator("id")
    @classmethod
    def _id_fits(cls, given: str | None) -> str | None:
        if given is not None and not given.isprintable():
            raise ValueError("expected characters that can be printed")
        return given

    @field_validator("limits")
    @classmethod
    def _limits_parse(cls, limits: str) -> str:
        return limits if limits.startswith(BY_NAME) else parse_limits(limits).text


class ReserveResponse(CheckResponse):
    """The decision, and what is held by it."""

    model_config = ConfigDict(json_schema_extra={})

    reservation: str | None = Field(
        description="The id to commit it by; null where nothing is held: it was denied, or nobody"
        " could be asked.",
        examples=[_ID],
    )
    held: int = Field(description="Tokens that are held; may be fewer than were asked for.")

    @classmethod
    def of_held(
        cls, decision: Decision, owner: str, reservation: str, held: int
    ) -> "ReserveResponse":
        """Return the response that tells of a decision."""
        told = CheckResponse.of(decision, owner).model_dump()
        return cls(**told, reservation=reservation or None, held=held)


class CommitRequest(BaseModel):
    """How much of a reservation was used."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"id": _ID, "actual": 1200}]}
    )

    id: str = Field(
        min_length=1, max_length=MAX_RESERVATION_ID, description="What /v1/reserve has answered."
    )
    actual: int = Field(
        strict=True, ge=0, le=MAX_AMOUNT, description="Tokens that were used; 0 gives all back."
    )


class CommitResponse(BaseModel):
    """What a commit has come to; the second time it is the same."""

    actual: int = Field(description="Tokens that stay charged.")
    given_back: int = Field(description="Tokens given back of those held.")
    charged: int = Field(description="Tokens charged beyond those held.")
    source: Source = Field(description="Who settled it: `owner` or `backup`.")
    node: str = Field(description="The name of that node.")

    @classmethod
    def of(cls, committed: Committed, source: str, node: str) -> "CommitResponse":
        """Return the response that tells of a commit."""
        return cls(**committed._asdict(), source=Source(source), node=node)
