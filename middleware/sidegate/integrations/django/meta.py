"""A request of Django as sidegate sees it, under WSGI and under ASGI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidegate.wsgi import EnvironRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidegate.http.request.proxies import Proxies


class MetaRequest(EnvironRequest):
    """What `request.META` shows; Django has decoded the path."""

    __slots__ = ("_django",)

    def __init__(self, request: Any, proxies: Proxies) -> None:  # noqa: ANN401  # no types
        """`request` is an HttpRequest."""
        super().__init__(request.META, proxies)
        self._django = request

    @property
    def method(self) -> str:
        return str(self._django.method).upper()

    @property
    def path(self) -> str:
        return str(self._django.path)

    @property
    def root(self) -> str:
        """The path that the project is mounted under."""
        return str(self._django.path.removesuffix(self._django.path_info))

    @property
    def raw(self) -> Mapping[str, Any]:
        scope: Mapping[str, Any] = getattr(self._django, "scope", self._django.META)
        return scope


def http_request(request: Any) -> Any:  # noqa: ANN401  # no types
    """Return Django's own request: that of its REST framework has it inside."""
    return getattr(request, "_request", request)
