"""The same request as both sides read it, ASGI and WSGI."""

import pytest

from sidegate.asgi.middleware import ScopeRequest
from sidegate.http.request.proxies import NO_PROXIES, Proxies
from sidegate.http.request.request import Request
from sidegate.wsgi import EnvironRequest

Lines = list[tuple[str, str]]


def asgi(lines: Lines, peer: str = "192.0.2.1", proxies: Proxies = NO_PROXIES) -> Request:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in lines]
    client = [peer, 1234] if peer else None
    scope = {"type": "http", "method": "POST", "path": "/a/é", "headers": headers, "client": client}
    return ScopeRequest(scope, proxies)


def wsgi(lines: Lines, peer: str = "192.0.2.1", proxies: Proxies = NO_PROXIES) -> Request:
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/a",
        "PATH_INFO": "/é".encode().decode("latin-1"),
        "REMOTE_ADDR": peer,
    }
    for name, value in lines:
        variable = name.upper().replace("-", "_")
        if variable not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            variable = f"HTTP_{variable}"
        environ[variable] = f"{environ[variable]}, {value}" if variable in environ else value
    return EnvironRequest(environ, proxies)


both = pytest.mark.parametrize("request_of", [asgi, wsgi])
