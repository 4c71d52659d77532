"""RulesDocument: what a rules file says, as it is written or in its canonical form."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec

VERSION = 1
MAX_RULES = 1_000
MAX_EXEMPT = 1_000
MAX_PLANS = 100
MAX_PLAN_LIMITS = 100  # in a plan
MAX_OVERRIDES = 10_000
MAX_TENANT = 128  # characters of an override's tenant
MAX_METHODS = 32  # in a rule; so many more exist in WebDAV alone, and none needs them all
MAX_FIELDS = 16  # of a header, that a rule looks at: each costs each request a look
MAX_PATTERN = 1_024  # characters of a path or a value with stars, each of which costs requests
MAX_SELECTORS = 8  # in a key
MAX_ENCODED = 768 * 1024  # bytes: fits into a frame of the link with room to spare

CIDR: Final = "cidr:"  # before a network of clients that is exempt
PLAN_LIMITS: Final = "plan:"  # before the name that plans call limits by
PLAN: Final = "plan"  # these two are no limits in an override
UNTIL: Final = "until"
ANY: Final = "*"


def _said(text: str, **more: object) -> msgspec.Meta:
    return msgspec.Meta(description=text, extra_json_schema=more or None)


Selectors: TypeAlias = str | tuple[str, ...]
PlanLimits: TypeAlias = dict[str, str]
"""Limits by the names that rules call them by."""


class Defaults(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What holds where a rule, or whoever uses the file, says nothing else."""

    on_unreachable: Annotated[
        str | None,
        _said("When nobody can decide a check.", enum=["open", "closed", "local", None]),
    ] = None
    key: Annotated[Selectors, _said("The key of rules that have none.")] = ("client",)


class Tenants(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who a tenant is, and which plan it has. Believed of trusted proxies only."""

    id: Annotated[str | None, _said("The header that names the tenant: header:NAME.")] = None
    plan: Annotated[str | None, _said("The header that names its plan: header:NAME.")] = None
    default: Annotated[str | None, _said("The plan of whoever has no other.")] = None
    overrides: Annotated[
        dict[str, dict[str, str]],
        _said("By tenant: another plan, other limits by their names in plans, until when."),
    ] = {}


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which requests a rule is for; what isn't said matches all."""

    path: Annotated[str, _said('As the app\'s routes have it, "*" for any characters.')] = "*"
    methods: Annotated[tuple[str, ...] | None, _said("GET stands for HEAD too.")] = None
    host: Annotated[str | None, _said('Without its port, "*" for any characters.')] = None
    headers: Annotated[
        dict[str, str], _said('Header fields and their values, "*" for any characters.')
    ] = {}


class RuleEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule: the first that matches a request applies."""

    name: Annotated[str, _said("Stands in response fields, and begins the keys of its buckets.")]
    limits: Annotated[
        str | tuple[str, ...], _said("Such as 100/minute, or plan:NAME for what the plan says.")
    ]
    match: Match = Match()
    key: Annotated[
        Selectors | None,
        _said(
            "Whom it counts by: client, header:NAME, bearer, basic, host, path, tenant, global, or"
            " a list of them."
        ),
    ] = None
    cost: Annotated[int, _said("What a request takes; 0 only looks.", minimum=0)] = 1
    max_fraction: Annotated[
        str, _said('The part of the smallest burst that one reservation may hold: "50 %".')
    ] = ""
    mode: Annotated[
        str, _said('enforce, shadow, or the share of the keys that it is enforced for: "10 %".')
    ] = "enforce"
    in_flight: Annotated[
        int | None,
        _said("How many requests of a key run at a time; those of apps' middleware.", minimum=1),
    ] = None
    lease: Annotated[
        bool, _said("Whether apps may borrow tokens of its busy keys, and spend them unasked.")
    ] = True
    sync: Annotated[bool, _said("Whether a charge is answered when a backup has it too.")] = False


class RulesDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole file. In its canonical form two that mean the same are equal."""

    version: Annotated[int, _said("Of this format.", const=VERSION)]
    rules: Annotated[tuple[RuleEntry, ...], _said("The first that matches a request applies.")]
    defaults: Defaults = Defaults()
    exempt: Annotated[
        tuple[str, ...], _said("Never limited: paths, and cidr:NETWORK for clients.")
    ] = ()
    plans: Annotated[
        dict[str, PlanLimits], _said("Limits by plan, and by the names that rules call them by.")
    ] = {}
    tenants: Tenants = Tenants()
