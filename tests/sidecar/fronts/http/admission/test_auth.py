"""Who may do what over HTTP."""

from typing import Any

import pytest

from sidegate.link.address import parse_address
from sidegate_sidecar.config import Config
from sidegate_sidecar.fronts.http.admission.auth import Access
from sidegate_sidecar.fronts.http.admission.routes import Right
from tests.sidecar.fronts.http.heads import head

EVERYWHERE: dict[str, Any] = {"http": parse_address("0.0.0.0:7172")}
SECRET: dict[str, Any] = {"secret": b"a good secret for tests"}
SENT = {"authorization": "Bearer a good secret for tests"}
FAR = {"peer": "10.0.0.7"}
OPEN, READ, CHANGE = Right


@pytest.mark.parametrize(
    ("options", "request_", "statuses"),
    [
        # With a secret: open for all, reading for this machine, all for those who send it.
        (SECRET | EVERYWHERE, FAR, (None, 401, 401)),
        (SECRET | EVERYWHERE, {}, (None, None, 401)),
        (SECRET | EVERYWHERE, FAR | SENT, (None, None, None)),
        (SECRET, {}, (None, None, 401)),
        # A proxy on this machine is not this machine, nor is a mesh.
        (SECRET, {"x_forwarded_for": "10.0.0.7"}, (None, 401, 401)),
        (SECRET, {"forwarded": "for=10.0.0.7"}, (None, 401, 401)),
        (SECRET, {"via": "1.1 proxy"}, (None, 401, 401)),
        (SECRET, {"peer": "127.0.0.6"}, (None, 401, 401)),
        (SECRET, {"peer": ""}, (None, 401, 401)),
        (SECRET, {"peer": "::1"}, (None, None, 401)),
        (SECRET, {"peer": "::ffff:127.0.0.1"}, (None, None, 401)),
        # Without one: for this machine if only it can ask, or if it was said that others may.
        ({}, {}, (None, None, None)),
        (EVERYWHERE, {}, (None, None, 403)),
        (EVERYWHERE, FAR, (None, 403, 403)),
        (EVERYWHERE | {"insecure": True}, FAR, (None, None, None)),
        # What isn't quite the secret isn't it.
        (SECRET, {"authorization": "Bearer a good secret for test"}, (None, None, 401)),
        (SECRET, {"authorization": "Bearer "}, (None, None, 401)),
        (SECRET, {"authorization": "Basic a good secret for tests"}, (None, None, 401)),
        (SECRET, {"authorization": "a good secret for tests"}, (None, None, 401)),
        (SECRET, {"authorization": "bEARER  a good secret for tests"}, (None, None, None)),
        (SECRET, {"authorization": "Bearer x, Bearer a good secret for tests"}, (None, None, 401)),
    ],
)
def test_who_may_do_what(
    options: dict[str, Any], request_: dict[str, Any], statuses: tuple[int | None, ...]
) -> None:
    """By the secret, by where it is asked from, and by who can reach the address."""
    access = Access(Config(**options))
    asked = head(**request_)
    found = [access.refusal(right, asked) for right in (OPEN, READ, CHANGE)]
    assert tuple(it.status if it else None for it in found) == statuses
    for refused in found:
        if refused is not None and refused.status == 401:
            assert ("WWW-Authenticate", "Bearer") in refused.headers


def test_who_is_trusted_needs_no_turn() -> None:
    """Whoever may change something; where no secret is set, that is everyone who may ask."""
    assert not Access(Config(**SECRET)).trusts(head())
    assert Access(Config(**SECRET)).trusts(head(**SENT))
    assert Access(Config()).trusts(head())
    assert not Access(Config(**EVERYWHERE)).trusts(head())
    assert not Access(Config()).proves(head(**SENT))
