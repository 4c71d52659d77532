"""Settings: what one middleware was told about requests and responses. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidegate.buckets.decision import Decision, OnUnreachable
    from sidegate.http.patterns import Matcher
    from sidegate.http.request.proxies import Proxies
    from sidegate.http.request.request import Request
    from sidegate.http.rules import Rule


class OnKeyError(StrEnum):
    """What happens to a request whose key or cost function failed."""

    OPEN = "open"  # it is let through
    CLOSED = "closed"  # it is refused with 503


class HeaderStyle(StrEnum):
    """Which fields tell clients where they stand."""

    DRAFT = "draft"  # RateLimit and RateLimit-Policy
    LEGACY = "legacy"  # X-RateLimit-Limit, -Remaining and -Reset
    BOTH = "both"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of one middleware, which were checked."""

    rules: tuple[Rule, ...]  # where they come from the sidecar: until they are there
    from_sidecar: bool
    service: str  # "" for none
    exempt: Sequence[Matcher]
    proxies: Proxies
    budget: float  # seconds
    key_timeout: float  # seconds
    on_unreachable: OnUnreachable
    on_key_error: OnKeyError
    headers: HeaderStyle
    on_denied: Callable[[Request, Decision], object] | None
    expose_source: bool
    preflights: bool
    shadow: bool
    enabled: bool
