"""The clients of one Limiter: one for event loops and one for threads, made when they are asked."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sidegate.asgi.at_hand import at_hand
from sidegate.asgi.other_loops import AnyLoop, runs_in_loop
from sidegate.client.blocking import BlockingClient
from sidegate.client.client import Client
from sidegate.client.config import client_options, require_client
from sidegate.forks import begins_in_children

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidegate.asgi.at_hand import AtHand
    from sidegate.client.unreachable.fallback import Fallback
    from sidegate.http.settings import Settings
    from sidegate.ruleset.ruleset import RuleSet


class Clients:
    """The clients that a Limiter's options describe, or the one that they give."""

    def __init__(self, options: Mapping[str, Any], settings: Settings) -> None:
        """ValueError for options that no client can have."""
        self._given: Any = options.get("client")
        self._options: Any = {
            "sidecar": options.get("sidecar") if settings.enabled else "off",
            "secret": options.get("secret"),
            "tls": options.get("tls"),
            "budget": settings.budget,
            "on_unreachable": settings.on_unreachable,
            "otel": options.get("otel"),
            "lease": options.get("lease"),
        }
        self._any_loop: AnyLoop | None = None
        self._blocking: BlockingClient | None = None
        self._watched: tuple[object, bool] | None = None  # copy and follows, of watch_rules
        self._lock = threading.Lock()  # over the two above
        begins_in_children(self)
        if self._given is None:
            client_options(name="app", **self._options)

    @cached_property
    def loops(self) -> Any:  # noqa: ANN401 - AnyLoop, or what the app gave
        """The client for event loops."""
        return self.own if self._given is None else self._given

    @property
    def own(self) -> AnyLoop | None:
        """The client for event loops, if the app gave none."""
        if self._given is not None:
            return None
        with self._lock:
            if self._any_loop is None:
                self._any_loop = AnyLoop(self._options)
                self._watch(self._any_loop)
            return self._any_loop

    @cached_property
    def at_hand(self) -> AtHand:
        """What the client for event loops decides at once."""
        return at_hand(self.loops)

    @cached_property
    def threads(self) -> Any:  # noqa: ANN401 - BlockingClient, or what the app gave
        """The client for threads."""
        if self._given is not None:
            return self._given
        with self._lock:
            if self._blocking is None:
                self._blocking = BlockingClient(**self._options)
                self._watch(self._blocking)
            return self._blocking

    def to_inspect_in_loops(self) -> Client | AnyLoop:
        """Return what peeks and resets in any loop; ValueError if another kind was given."""
        given = require_client(self._given, Client)
        return self.loops if given is None else given

    def to_wait_in_loops(self) -> Client:
        """Return a Client to wait with; ValueError if another kind was given."""
        given = require_client(self._given, Client)
        return self.loops.client if given is None else given

    def to_use_in_threads(self) -> BlockingClient:
        """Return a BlockingClient to wait, peek and reset; ValueError if another kind was given."""
        given = require_client(self._given, BlockingClient)
        return self.threads if given is None else given

    def watch_rules(self, copy: object = None, *, follows: bool = False) -> None:
        """Want the rules of the sidecar; see `Client.watch_rules`."""
        self._watched = copy, follows
        _made_now = self._here  # so that a wrong copy is an error at once

    def _watch(self, client: AnyLoop | BlockingClient) -> None:
        if self._watched is not None:
            copy, follows = self._watched
            client.watch_rules(copy, follows=follows)

    @property
    def _here(self) -> Any:  # noqa: ANN401 - as above
        return self.loops if runs_in_loop() else self.threads

    def rules(self) -> RuleSet | None:
        """Return the rules of the sidecar, by the client for where this is called."""
        rules: RuleSet | None = self._here.rules()
        return rules

    @property
    def fallback(self) -> Fallback:
        """What decides, where this is asked, when the sidecar doesn't."""
        fallback: Fallback = self._here.fallback
        return fallback

    def count(self, outcome: str) -> None:
        """Count an outcome that the sidecar is to show in its metrics."""
        if self._any_loop is not None:
            self._any_loop.count(outcome)
        elif self._blocking is not None:
            self._blocking.count(outcome)

    def begin_child(self) -> None:
        """Begin in a forked process, where a thread that isn't there may hold the lock."""
        self._lock = threading.Lock()
