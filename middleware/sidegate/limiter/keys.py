"""Keys: what the checks of a limiter call the buckets of a client, for who has only the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.errors import shown
from sidegate.http.keys import bucket_key, identity_text
from sidegate.http.rules import bucket_of
from sidegate.limiter.limits.applied import APPLICATION, fit_name, is_named, of_method, route_of
from sidegate.limiter.limits.marks import marks_of

if TYPE_CHECKING:
    from sidegate.limiter.core import Core


def key_of(core: Core, identity: object, view: object, scope: str | None, method: str) -> str:
    """Return the key of an identity's buckets; see `Limiter.key`."""
    if view is not None and scope is not None:
        raise ValueError(f"scope={shown(scope)}: expected a view or a scope, not both")
    if view is not None:
        name = _name_of(core, view, method)
    elif scope is not None:
        name = _text("scope", scope)
    elif core.enforcer.application is not None:
        name = APPLICATION
    else:
        raise ValueError("view=None: expected a view or a scope; the application has no limits")
    bucket = of_method(name, method) if method else fit_name(name)
    return bucket_key(bucket_of(core.settings.service, bucket), identity_text(identity))


def _name_of(core: Core, view: object, method: str) -> str:
    """Return what a route's own limits are called; ValueError if that takes a method to know."""
    if isinstance(view, str):
        return _text("view", view)
    if not callable(view):
        raise ValueError(f"view={shown(view)}: expected a function, a class, or a route's name")  # noqa: TRY004 - as any option
    view = getattr(view, "fn", view)  # of Litestar, whose decorators make objects of functions
    if not is_named(view):
        raise ValueError(
            f"view={shown(view)}: its buckets are called by its path too, expected the name in the"
            " keys as text, or limits with a scope"
        )
    own = [mark.limit for mark in marks_of(view, core.limiter) if mark.limit]
    limits = [limit for limit in own if limit.scope is None] or core.enforcer.defaults
    if limits and not method and all(limit.per_method for limit in limits):
        raise ValueError(f"method='': expected one, which {shown(view)} counts for itself")
    return route_of(view).key


def _text(option: str, name: object) -> str:
    if isinstance(name, str) and name:
        return name
    raise ValueError(f"{option}={shown(name)}: expected a name")
