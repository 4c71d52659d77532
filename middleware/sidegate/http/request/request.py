"""Request: what an identity or a cost may look at; the same for ASGI and WSGI."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

from sidegate.errors import RepeatedField
from sidegate.http.request.proxies import NO_PROXIES, Proxies

# Fields that are lists by definition (RFC 9110, 5.3), or that proxies add lines to: several
# lines are one list. HTTP/2 cuts a cookie into lines (RFC 9113, 8.2.3).
_JOINED = {"cookie": "; "} | dict.fromkeys(
    (
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "connection",
        "expect",
        "forwarded",
        "if-match",
        "if-none-match",
        "pragma",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "warning",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
    ),
    ", ",
)


class Request(ABC):
    """A request as its server shows it, read when asked: what nobody asks for costs nothing."""

    __slots__ = ("_headers", "proxies")

    def __init__(self, proxies: Proxies = NO_PROXIES) -> None:
        self.proxies = proxies  # whose word on the client's address is taken
        self._headers: Headers | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields by lower-case name, each as `header` returns it."""
        if self._headers is None:
            self._headers = Headers(self)
        return self._headers

    def header(self, name: str) -> str:
        """Return a header field, "" if it is missing.

        Lines of a field that is a list are joined by a comma, those of a cookie by a semicolon.
        RepeatedField if any other field came in lines that differ: an app believes one of them,
        and nobody but the app knows which. Key functions let it pass; the client gets a 400.
        """
        lines = self.lines(name)
        if len(lines) <= 1:
            return lines[0] if lines else ""
        if (separator := _JOINED.get(name.lower())) is not None:
            return separator.join(lines)
        filled = {line.strip() for line in lines} - {""}
        if len(filled) > 1:
            raise RepeatedField(name.lower())
        return filled.pop() if filled else ""

    @property
    def client(self) -> str:
        """The client's address behind the trusted proxies, or "" where there is none.

        Without trusted proxies it is the peer. See `Proxies` for the rules.
        """
        if self.proxies is NO_PROXIES:
            return self.peer
        return self.proxies.client(self.peer, self.header("x-forwarded-for"))

    def vouches(self, name: str) -> bool:
        """Tell whether a trusted proxy is answerable for what a field says, and for its absence."""
        del name  # a proxy that is trusted sets all that matter, or takes them out
        return self.proxies.trusts(self.peer)

    @abstractmethod
    def lines(self, name: str) -> list[str]:
        """Return the lines of a header field, in order. A WSGI server has joined them to one."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of the header fields that came, in small letters, each once."""

    @property
    @abstractmethod
    def method(self) -> str:
        """GET, POST, … in capitals; the handshake of a websocket is a GET."""

    @property
    @abstractmethod
    def path(self) -> str:
        """The decoded path as the client asked for it, with what the app is mounted under."""

    @property
    @abstractmethod
    def peer(self) -> str:
        """The address at the other end of the connection, "" for a Unix socket."""

    @property
    @abstractmethod
    def raw(self) -> Mapping[str, object]:
        """The ASGI scope or the WSGI environ."""


class Headers(Mapping[str, str]):
    """The header fields of a request, looked up when asked for."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._names = dict.fromkeys(request.names())

    def __getitem__(self, name: str) -> str:
        if name.lower() not in self._names:
            raise KeyError(name)
        return self._request.header(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
