"""Functions that tell clients apart."""

from starlette.requests import HTTPConnection

_NOBODY = "127.0.0.1"  # of a request without an address, as slowapi has it


def get_remote_address(request: HTTPConnection) -> str:
    """Return the address that the connection came from, 127.0.0.1 where there is none."""
    return (request.client and request.client.host) or _NOBODY


def get_ipaddr(request: HTTPConnection) -> str:
    """Return what the field X_FORWARDED_FOR says, else the address of the connection.

    Anybody can send that field. Behind proxies rather have the server trust them by name, and take
    `get_remote_address`.
    """
    return request.headers.get("X_FORWARDED_FOR") or get_remote_address(request)
