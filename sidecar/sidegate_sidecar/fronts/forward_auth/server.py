"""The forward-auth server: which rules a proxy's request falls under, and what becomes of it."""

from __future__ import annotations

import logging
from time import monotonic, time
from typing import TYPE_CHECKING, Final, TypeAlias

from sidegate.errors import MalformedRequest
from sidegate.protocol.messages import Refund
from sidegate_sidecar.fronts.expected_timeout import TIMEOUT, expected_timeout
from sidegate_sidecar.fronts.forward_auth.access import ProxyAccess
from sidegate_sidecar.fronts.forward_auth.answering import UNLIMITED, AuthAnswering
from sidegate_sidecar.fronts.forward_auth.asking import AuthBatch, Undecided
from sidegate_sidecar.fronts.forward_auth.auth_counts import AuthCollector, AuthCounts
from sidegate_sidecar.fronts.forward_auth.connection import (
    READ_AT_ONCE,
    AuthConnection,
    AuthTimeouts,
)
from sidegate_sidecar.fronts.forward_auth.heads import HeadError, HeadReader
from sidegate_sidecar.fronts.forward_auth.proxied_request import AskingPeer
from sidegate_sidecar.fronts.forward_auth.replies import refused
from sidegate_sidecar.fronts.forward_auth.styles import request_of, style_of
from sidegate_sidecar.fronts.http_date import HttpDate
from sidegate_sidecar.fronts.port_server import PortServer

if TYPE_CHECKING:
    import socket

    from sidegate_sidecar.fronts.forward_auth.heads import AuthHead
    from sidegate_sidecar.fronts.forward_auth.styles import ProxyStyle
    from sidegate_sidecar.links.admission.admission import Arrival
    from sidegate_sidecar.rules_file.rules_in_force import RulesInForce
    from sidegate_sidecar.sidecar import Sidecar

Waiting: TypeAlias = Undecided[AuthConnection]

log = logging.getLogger("sidegate")

_STRANGER: Final = HeadError(
    400, "secret", "expected a proxy that --auth-proxies names, or Sidegate-Secret with the secret"
)
_TIMEOUT: Final = TIMEOUT.encode()


class AuthServer(PortServer[AuthConnection]):
    """Answers proxies by the rules that are in force, on a socket that already listens."""

    def __init__(self, sidecar: Sidecar, rules: RulesInForce, listening: socket.socket) -> None:
        self.patience = AuthTimeouts()
        self.reader = HeadReader()
        self.counts = AuthCounts(monotonic)
        super().__init__(listening, sidecar.config, self.counts, self.patience, READ_AT_ONCE)
        self.collector = AuthCollector(self.open, self.counts)
        self._access = ProxyAccess(sidecar.config)
        self._node = sidecar.node
        self._rules = rules
        self._answering = self._answering_by_rules()
        self._batches: dict[int, AuthBatch[AuthConnection]] = {}  # by their budgets
        self._date = HttpDate()

    def _answering_by_rules(self) -> AuthAnswering:
        return AuthAnswering(self._rules.value, self._node, self._access.proxies)

    def _accept(self, arrival: Arrival, channel: bytes) -> AuthConnection:  # noqa: ARG002
        connection = AuthConnection(arrival, self)
        self.open.add(connection)
        return connection

    # --- what a connection needs

    def date(self) -> bytes:
        """Return the time, as HTTP writes it."""
        return self._date.text().encode()

    def trusts(self, address: str) -> bool:
        """Tell whether a proxy at that address needs no secret."""
        return self._access.trusts(address)

    def refused(self, connection: AuthConnection, reason: str, why: str = "") -> None:
        """Count what a connection was refused for; `why` is for the log."""
        self.counts.refuse(reason, connection.arrival.remote, why)

    def peer_at(self, address: str) -> AskingPeer:
        """Return the proxy at an address, which is believed."""
        access = self._access
        return AskingPeer(address, access.proxies_with(address), access.client)

    def ask(self, connection: AuthConnection, head: AuthHead) -> None:
        """Have a request decided, with all others of this turn."""
        try:
            style = style_of(head.target)
            connection.denies_as(style.denial)
            if connection.peer is None and not self._access.proves(head):
                connection.refuse(_STRANGER, is_last=True)
                return
            if connection.peer is not None or connection.believe():
                assert connection.peer is not None  # now it is
                self._ask(connection, connection.peer, style, head)
        except HeadError as wrong:
            connection.refuse(wrong)
        except MalformedRequest as wrong:
            self.counts.answered("malformed")
            connection.answer(refused(400, str(wrong)))

    def _ask(
        self, connection: AuthConnection, peer: AskingPeer, style: ProxyStyle, head: AuthHead
    ) -> None:
        request = request_of(style, head, peer)
        if self._answering.rules is not self._rules.value:
            self._answering = self._answering_by_rules()
        answering = self._answering
        questions = answering.rules.questions(request, time())
        if not questions:
            self.counts.answered("allowed")
            connection.answer(UNLIMITED)
            return
        budget = self._budget(style, head)
        batch = self._batches.get(budget)
        if batch is None:
            batch = self._batches[budget] = AuthBatch(self._decided)
        batch.add(Undecided(connection, questions, answering))
        if batch.is_full:
            self._end_turn()

    def _budget(self, style: ProxyStyle, head: AuthHead) -> int:
        """Return the microseconds that a request may take: what Envoy waits, but no more than ours.

        Of others the field could be their client's.
        """
        seconds = self._node.budget
        said = () if style.method else head.fields.get(_TIMEOUT, ())
        if len(said) == 1:
            seconds = min(seconds, expected_timeout(said[0].decode("latin-1")))
        return int(seconds * 1e6)

    # ---

    def _end_turn(self) -> None:
        """Have all decided that this turn has asked."""
        batches, self._batches = self._batches, {}
        for budget, batch in batches.items():
            self._node.decide(batch.frame(budget), batch.take)

    def _decided(self, waiting: Waiting) -> None:
        try:
            made = waiting.answer()
            if made.refunds:
                self._node.refund(Refund(0, made.refunds))
            self.counts.answered("denied" if made.verdict.status else "allowed", made.source)
            waiting.asker.answer(made.verdict)
        except Exception:  # that one ends; the others go on
            log.exception("a fault in sidegate; please report it")
            waiting.asker.abort()
