"""Admission: may a request go on? Decided by its head, before any of its body is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate_sidecar.fronts.http.admission.hosts import Hosts
from sidegate_sidecar.fronts.http.admission.routes import Right, Route, route_of
from sidegate_sidecar.fronts.http.http11.reply import JSON, Fault, problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate_sidecar.fronts.http.admission.auth import Access
    from sidegate_sidecar.fronts.http.http11.head import Head
    from sidegate_sidecar.fronts.http.http11.reply import Reply


class RequestAdmission:
    """Decides for each request. `names` are hosts that people call this node by."""

    def __init__(self, access: Access, names: Iterable[str]) -> None:
        self.access = access
        self._hosts = Hosts(names)

    def refusal(self, head: Head) -> Reply | None:
        """Return the reply to a request that may not go on, None for one that may."""
        if wrong := self._hosts.foreign_host(head):
            return problem(421, wrong, reason="host")
        if wrong := self._hosts.foreign_page(head):
            return problem(403, wrong, reason="origin")
        route = route_of(head.path)
        if route is None:
            return problem(404, "there is nothing here; /docs says what there is")
        right = route.right(head.method)
        if right is None:
            return _wrong_method(route)
        return self.access.refusal(right, head) or _wrong_type(right, head)


def _wrong_method(route: Route) -> Reply:
    return problem(405, f"expected {route.allow}", headers=[("Allow", route.allow)])


def _wrong_type(right: Right, head: Head) -> Reply | None:
    """Refuse what a form of any page can send: all but JSON, or nothing without a type."""
    if right is not Right.CHANGE:
        return None
    sent = head.fields.get("content-type")
    needs_type = sent is not None or head.has_body or head.path == "/v1/check"
    if not needs_type or (sent or "").partition(";")[0].strip().lower() == JSON:
        return None
    message = f"expected JSON and Content-Type: {JSON}, not {repr(sent[:200]) if sent else 'none'}"
    return problem(422, f"body: {message}", errors=[Fault("body", message)], reason="type")
