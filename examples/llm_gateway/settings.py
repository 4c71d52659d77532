"""Settings: whose keys there are, what each may use, and of which models."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from sidegate import parse_limits

CONTEXT_TOKENS: Final = {"parrot": 4_096, "macaw": 16_384}  # of a prompt and its answer, by model


class Account(BaseModel):
    """Whose key it is, and what it may use: `tokens` and `requests` of each model."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[\w.-]{1,64}$")
    key: str = Field(min_length=1, repr=False)
    tokens: str
    requests: str
    in_flight: int = Field(ge=1)

    @field_validator("tokens", "requests")
    @classmethod
    def _is_understood(cls, limits: str) -> str:
        return parse_limits(limits).text


class Settings(BaseModel):
    """What a gateway is told.

    A model costs money: where no sidecar can be asked, each process gives its share alone.
    `budget` is how long a question to the sidecar may take: more than an app of quick answers has.
    In `send_seconds` a client has to take what it is sent.
    """

    model_config = ConfigDict(frozen=True)

    accounts: list[Account]
    upstream: str = "http://127.0.0.1:8001"
    on_unreachable: Literal["open", "closed", "local"] = "local"
    budget: float = Field(default=0.5, gt=0, le=60)
    send_seconds: float = Field(default=30, gt=0)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Read them from LLM_ACCOUNTS (a JSON file), LLM_UPSTREAM, LLM_ON_UNREACHABLE, …."""
        file = environment.get("LLM_ACCOUNTS") or Path(__file__).with_name("accounts.json")
        # Its errors go to a log, and what is wrong may be a key.
        read = TypeAdapter(list[Account], config=ConfigDict(hide_input_in_errors=True))
        accounts = read.validate_json(Path(file).read_bytes())
        given = {name: environment.get(f"LLM_{name.upper()}") for name in cls.model_fields}
        return cls.model_validate({k: v for k, v in given.items() if v} | {"accounts": accounts})

    def by_digest(self) -> dict[bytes, Account]:
        """Return the accounts by what `digest` makes of their keys."""
        return {digest(it.key): it for it in self.accounts}


def digest(key: str) -> bytes:
    """Return what a key is looked up by: how long that takes tells nothing of other keys."""
    return sha256(key.encode("utf-8", "surrogateescape")).digest()
