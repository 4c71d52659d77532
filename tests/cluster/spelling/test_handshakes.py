"""Websocket handshakes: once the limit is spent, no spelling of the path is accepted."""

from typing import Final

import pytest

from tests.cluster.spelling.frameworks.limited import CASE, TIGHT
from tests.cluster.spelling.frameworks.views import PICK, WEBSOCKET
from tests.cluster.spelling.raw import ask, ask_all
from tests.cluster.spelling.serving.servers import ASGI
from tests.cluster.spelling.spellings import LINE, targets
from tests.support.processes.services import App

SWITCHED: Final = 101


def _handshake(server: str, target: str) -> bytes:
    lines = (
        LINE.format(method="GET", target=target),
        "Host: localhost",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"{PICK}: starlette tight",
        f"{CASE}: {server} websocket",
    )
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@pytest.mark.parametrize("server", ASGI)
def test_a_spent_limit_is_spent(servers: dict[str, App], server: str) -> None:
    """Once the plain handshake is denied, no spelling of it is accepted."""
    port = servers[server].http.number
    plain = _handshake(server, WEBSOCKET.path)
    statuses = [ask(port, plain).status for _ in range(TIGHT + 1)]
    assert [status == SWITCHED for status in statuses] == [True] * TIGHT + [False]
    # ASCII: daphne never answers a handshake for another path
    asked = [target for target in targets(WEBSOCKET.path) if target.isascii()]
    answers = ask_all(port, [_handshake(server, target) for target in asked])
    accepted = [it[0] for it in zip(asked, answers, strict=True) if it[1].status == SWITCHED]
    assert not accepted
