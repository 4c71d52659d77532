"""Levels: which messages another side doesn't know, since it is of an older release. Pure.

Both sides say their level in their Hellos. A release that has new kinds of messages has the next
one, and its table here. Who is told one that it doesn't know closes the connection, so it isn't
told: `Connection.send` and `Line.tell` ask here, by `Handshake.lacks`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sidegate.buckets.limits import parse_limits
from sidegate.buckets.windows import DATED
from sidegate.errors import SidegateError
from sidegate.protocol.cache_messages import CACHE_MESSAGES
from sidegate.protocol.holds.lease_messages import Borrow, Lent, Returned
from sidegate.protocol.holds.reservation_messages import (
    Commit,
    ReservationRows,
    Reserve,
    Reserved,
)
from sidegate.protocol.holds.slot_messages import SLOT_MESSAGES
from sidegate.protocol.key_messages import KeysListed, KeysReset, ListKeys, ResetKeys
from sidegate.protocol.messages import Buckets, Charged, Refund
from sidegate.protocol.outcome_messages import Outcomes
from sidegate.protocol.report_messages import (
    EventQuery,
    Events,
    ReportAnswer,
    ReportPart,
    ReportQuery,
)
from sidegate.protocol.standing_messages import (
    RulesPush,
    Standing,
    StandingQuery,
    Voters,
    WatchRules,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import Struct

    from sidegate.protocol.messages import Hello, Message

    Kinds = Mapping[type[Struct], str]

_KEYS, _REPORTS, _EVENTS = "lists of keys", "reports", "events of apps"
_STANDING = "words about how it stands"
_RULES = "rules for apps"
_RESERVATIONS = "reservations"
_LEASES = "leases"

_NEW: Final[tuple[Kinds, ...]] = (
    {  # in level 1
        Refund: "refunds",
        ListKeys: _KEYS,
        KeysListed: _KEYS,
        ResetKeys: "resets of many keys",
        KeysReset: "resets of many keys",
        ReportQuery: _REPORTS,
        ReportPart: _REPORTS,
        ReportAnswer: _REPORTS,
        Events: _EVENTS,
        EventQuery: _EVENTS,
        StandingQuery: _STANDING,
        Standing: _STANDING,
        **dict.fromkeys(CACHE_MESSAGES, "cache"),
    },
    {  # in level 2
        WatchRules: _RULES,
        RulesPush: _RULES,
    },
    {  # in level 3
        Reserve: _RESERVATIONS,
        Commit: _RESERVATIONS,
        Reserved: _RESERVATIONS,
        ReservationRows: _RESERVATIONS,
        **dict.fromkeys(SLOT_MESSAGES, "slots"),
    },
    {  # in level 4
        Borrow: _LEASES,
        Lent: _LEASES,
        Returned: _LEASES,
        Voters: "splits",
    },
)
"""By level, the kinds of messages that are new in it, each with what it is about."""

_NEW_AMONG_NODES: Final[tuple[Kinds, ...]] = ({Outcomes: _REPORTS}, {}, {}, {})
"""The same of kinds that only apps said before, and nodes say to each other since."""

LEVEL: Final = len(_NEW)
"""That of this release."""

QUOTAS: Final = 3
"""The level from which on a side can read limits that are quotas."""

NONE: Final[Kinds] = MappingProxyType({})


class OlderSide(SidegateError, ConnectionError):  # noqa: N818  # named for who it is
    """The other side is of a release that doesn't know what was to be said; the text says which."""


def readable(message: Message, level: int) -> Message:
    """Return what a side of that level can read of a message, which it knows the kind of.

    Buckets of quotas would be no buckets to it, and close the connection.
    """
    if level >= QUOTAS:
        return message
    match message:
        case Buckets(id=number, groups=groups):
            return Buckets(number, [group for group in groups if DATED not in group[0]])
        case Charged(id=number, rows=rows):
            return Charged(number, [row for row in rows if not parse_limits(row[1]).windows])
        case _:
            return message


def unknown_to(peer: Hello, role: str) -> Kinds:
    """Return what the side that has said this Hello doesn't know of one of that role."""
    if peer.level >= LEVEL:
        return NONE
    tables = [*_NEW[peer.level :], *(_NEW_AMONG_NODES[peer.level :] if role == "node" else ())]
    return {kind: what for table in tables for kind, what in table.items()}
