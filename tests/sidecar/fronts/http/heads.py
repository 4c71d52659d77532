"""Heads of requests, for tests."""

from sidegate_sidecar.fronts.http.http11.head import Head


def head(
    method: str = "GET",
    target: str = "/v1/nodes",
    *,
    host: str = "127.0.0.1:7172",
    peer: str = "127.0.0.1",
    **fields: str,
) -> Head:
    """Return a head; an underscore in the name of a field stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return Head(method, target, host, {"host": host, **named}, peer)
