"""The Limiter that SIDEGATE in Django's settings describes, and how it checks."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from asgiref.sync import async_to_sync, sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from sidegate.http.keys import is_async
from sidegate.integrations.django.meta import MetaRequest, http_request
from sidegate.integrations.django.options import limiter_options
from sidegate.integrations.django.views import marks_of_view, route_of_view
from sidegate.limiter.checks.asking import enforce, enforce_blocking
from sidegate.limiter.checks.current import Current, around
from sidegate.limiter.checks.enforcer import MAX_ROUTES
from sidegate.limiter.limiter import Limiter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.limiter.checks.enforcer import Checked
    from sidegate.limiter.core import Core
    from sidegate.limiter.limits.applied import Applied


class SettingsLimiter(Limiter):
    """A Limiter with the options in SIDEGATE; ImproperlyConfigured names what is wrong in them.

    Its decorators are for views: `@limiter.limit("5/minute")`. When a test changes SIDEGATE, it is
    read again.
    """

    def __init__(self) -> None:
        self._is_old = False
        self._read()

    def _read(self) -> None:
        options = limiter_options()
        try:
            super().__init__(options.pop("limits", None), **options)
        except ValueError as error:
            raise ImproperlyConfigured(f"SIDEGATE: {error}") from error
        self._kind_of = lru_cache(MAX_ROUTES)(self._kind)
        self._limits_of = lru_cache(MAX_ROUTES)(self._look_up)

    def forget(self) -> None:
        """Read SIDEGATE again before it is needed next."""
        self._is_old = True

    @property
    def core(self) -> Core:
        """What the present settings make of it."""
        if self._is_old:
            before = self._core
            self._read()
            self._is_old = False
            self._core.enforcer.filters = before.enforcer.filters
            self._core.is_marked |= before.is_marked
        return self._core

    def request(self, request: Any) -> Current:  # noqa: ANN401  # no types
        """Return a request that is to be checked, of Django or of its REST framework."""
        view = MetaRequest(http_request(request), self.core.settings.proxies)
        current = Current(self, view, around(), view.root)
        current.request = request
        return current

    # --- limits

    def limits(self, request: Any, view: object) -> Sequence[Applied]:  # noqa: ANN401  # no types
        """Return the limits of the view that Django has found for a request."""
        match = request.resolver_match
        told = str(match.view_name if match.url_name else match.route)
        _ = self.core  # the present one
        method = str(request.method).upper()
        try:
            return self._limits_of(view, told, method)
        except TypeError:  # an object as a view, which has no hash, such as a dataclass
            return self._look_up(view, told, method)

    def _look_up(self, view: object, told: str, method: str) -> Sequence[Applied]:
        route = route_of_view(view, told, method)
        return self._core.enforcer.limits(route, method, marks_of_view(view, method, self))

    # --- checks

    def check(self, current: Current, limits: Sequence[Applied]) -> Checked:
        """Check limits in a thread; functions that have to be awaited run in a loop."""
        core = self.core
        if self._kind_of(tuple(limits))[0]:
            asked = cast("Any", async_to_sync(enforce))
            checked: Checked = asked(core.enforcer, core.clients.loops, current, limits)
            return checked
        return enforce_blocking(core.enforcer, core.clients.threads, current, limits)

    async def acheck(self, current: Current, limits: Sequence[Applied]) -> Checked:
        """Check limits in a loop; plain functions of Django's requests run in a thread.

        There they may ask the database, as `request.user` does.
        """
        core = self.core
        awaits, blocks = self._kind_of(tuple(limits))
        if blocks and not awaits:
            checked: Checked = await cast("Any", sync_to_async(self.check))(current, limits)
            return checked
        return await enforce(core.enforcer, core.clients.loops, current, limits)

    def _kind(self, limits: tuple[Applied, ...]) -> tuple[bool, bool]:
        """Tell whether functions have to be awaited, and whether one may block."""
        functions = [function for one in limits for function in one.limit.functions]
        functions += self._core.enforcer.filters
        awaits = any(is_async(each.function) for each in functions)
        rules = any(rule.awaits for rule in self._core.settings.rules)
        return awaits or rules, any(not each.is_ours for each in functions)


limiter: Final = SettingsLimiter()
"""That of the process: Django makes middleware by its path, and hands it none."""


def _forget(*, setting: str, **_: object) -> None:
    """Called by Django's tests when they have changed a setting."""
    if setting == "SIDEGATE":
        limiter.forget()


cast("Any", setting_changed).connect(_forget)
