"""`limited`: a limit of a Celery task that all workers share, where Celery's is each worker's.

    @app.task
    @limited("10/minute", key=lambda account: f"account={account}")
    def fetch(account: int) -> None: ...

A task takes a token before its body runs. Where there is none it is sent again, with a countdown
until one may be there. That is done here and not by `Task.retry`, which would count it as one of
the task's own retries.
"""

# Celery comes without types.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

from __future__ import annotations

import logging
import time
from functools import wraps
from inspect import Parameter, signature
from itertools import product
from random import uniform
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar, cast

from celery import Task, current_task
from celery.exceptions import Ignore, OperationalError, Reject, Retry, SoftTimeLimitExceeded
from celery.local import Proxy

from sidegate.buckets.decision import Decision, OnUnreachable, Source
from sidegate.client.blocking import BlockingClient
from sidegate.client.config import require_client
from sidegate.errors import shown
from sidegate.http.headers import CLOSED_RETRY
from sidegate.http.key_faults import KeyFaults
from sidegate.http.keys import Id, bucket_key, identity_text, is_async
from sidegate.http.rules import read_limits
from sidegate.middleware_options import service_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidegate.buckets.limits import Limits

__all__ = ["limited"]

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("sidegate")

MAX_COUNTDOWN: Final = 1_800.0  # seconds: Redis delivers again what nobody has acked in 3,600
JITTER: Final = 0.1  # of the wait, added to it, so that those that wait don't all come at once
MIN_JITTER: Final = 0.1  # seconds
_RULE: Final = "celery"
_VARIABLE: Final = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


class RunningTask(Protocol):
    """What is looked at in a task of Celery that a worker runs."""

    name: str
    request: Any
    acks_late: bool

    def signature_from_request(self, request: object, **options: object) -> Any:  # noqa: ANN401  # no types
        """Return the task with its arguments and options, to be sent again."""
        ...


def limited(
    limits: str | Limits | Iterable[str],
    *,
    key: str | Callable[..., Id | None] | None = None,
    client: BlockingClient | None = None,
    service: str | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Limit a task, over all workers; it stands below `@app.task`. ValueError for a wrong option.

    - `key`: a text, which other tasks may share; or a function that is called as the task is, so
      it has the same parameters, and returns who is counted (None: not limited). The default is
      the task's name.
    - `client`: whom it asks (default: one that all tasks of the process share, which has its
      options from the environment). Its `on_unreachable` is also for keys that fail.
    - `service`: as for a Limiter.

    A task that is called as a function, outside of a worker, isn't limited.
    """
    _require_key(key)
    asked = require_client(client, BlockingClient)
    limit = _TaskLimit(read_limits(limits), key, asked, service_name(service))

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        _require_function(function)
        if callable(key):
            _require_callable_as(function, key)

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            task = _running()
            if task is not None:
                decision = limit.decide(task.name, args, kwargs)
                if not decision.allowed:
                    _put_off(task, _countdown(decision))
            return function(*args, **kwargs)

        cast("Any", run).__signature__ = signature(function)  # by which Celery checks arguments
        return run

    return decorate


def _require_key(key: object) -> None:
    """Raise ValueError for what is no text, no function and not None."""
    usable = bool(key) if isinstance(key, str) else key is None or callable(key)
    if not usable or is_async(key):
        raise ValueError(
            f"key={shown(key)}: expected a text, a function of the task's arguments, or None"
        )


def _require_function(function: object) -> None:
    """Raise TypeError for a task: the decorators are the wrong way round."""
    if issubclass(type(function), Proxy | Task):  # its type: a proxy says it is what it stands for
        raise TypeError("@limited must stand below @app.task or @shared_task, and is above it")
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"@limited: expected the function of a task, not {shown(function)}")


def _require_callable_as(function: Callable[..., object], key: Callable[..., object]) -> None:
    """Raise ValueError for a key that doesn't take all arguments that a task does."""
    try:
        task, takes = signature(function), signature(key)
    except ValueError:  # as for `str`, which doesn't tell
        return
    every = [it for it in task.parameters.values() if it.kind not in _VARIABLE]
    needed = [it for it in every if it.default is Parameter.empty]
    for passed, by_name in product((every, needed), (False, True)):
        named = {it.name: it for it in passed if _is_named(it, by_name=by_name)}
        try:
            takes.bind(*(it for it in passed if it.name not in named), **named)
        except TypeError as error:
            raise ValueError(
                f"key={shown(key)}: {error}, and it is called as the task is: expected a function"
                f" with the parameters {task.replace(return_annotation=Parameter.empty)}"
            ) from None


def _is_named(parameter: Parameter, *, by_name: bool) -> bool:
    """Tell whether an argument is passed by its name, if all are that may be.

    `self` never is: Celery passes it where a task is bound.
    """
    if parameter.kind is Parameter.POSITIONAL_OR_KEYWORD:
        return by_name and parameter.name != "self"
    return parameter.kind is Parameter.KEYWORD_ONLY


def _running() -> RunningTask | None:
    """Return the task that a worker runs here, None where it was called as a function."""
    task = cast("RunningTask", current_task)
    return task if task and not task.request.called_directly else None


def _countdown(decision: Decision) -> float:
    """Return the seconds after which to try again: what the limit says, and some more."""
    closed = decision.source is Source.CLOSED
    wait = min(CLOSED_RETRY if closed else decision.retry_after, MAX_COUNTDOWN)
    return wait + uniform(0, max(wait * JITTER, MIN_JITTER))  # noqa: S311  # no secret


class _Returned(Reject, Ignore):  # type: ignore[misc]  # which have no types
    """A message that the broker is to keep; `autoretry_for` makes no retry of what is an Ignore."""


def _put_off(task: RunningTask, countdown: float) -> None:
    """Send the task once more, as it is, and raise what tells the worker so.

    It returns where the task would be lost otherwise: it can't be sent, and the broker doesn't keep
    it, or it never could be (and would be taken from its queue again at once, for ever). In eager
    mode nothing is sent: Celery would run it at once, and again.
    """
    request = task.request
    if request.is_eager:
        raise Retry(when=countdown, is_eager=True)
    again = task.signature_from_request(request, countdown=countdown, retries=request.retries)
    try:
        again.apply_async()
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # the broker's: whatever its library raises
        kept = task.acks_late and isinstance(error, OperationalError)
        then = "goes back to its queue" if kept else "runs all the same"
        why = shown(error)
        log.error("task %r has no token, can't be sent again (%s), and %s", task.name, why, then)  # noqa: TRY400  # not our fault
        if kept:
            raise _Returned(why, requeue=True) from error
        return
    raise Retry(when=countdown, sig=again)


class _TaskLimit:
    """Decides for one task."""

    def __init__(
        self,
        limits: Limits,
        key: str | Callable[..., Id | None] | None,
        client: BlockingClient | None,
        service: str,
    ) -> None:
        self._limits = limits
        self._key = key
        self._given = client
        self._rule = f"{service}/{_RULE}" if service else _RULE
        self._faults = KeyFaults()

    def decide(self, task: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Decision:
        """Charge one token. It never raises, but for the end of the task's time."""
        try:
            key = self._bucket(task, args, kwargs)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:  # noqa: BLE001 - the task must not suffer for its limiter
            self._client.count("key-error")
            return self._failed(task, self._key, error)
        if key is None:
            return Decision(True, self._limits, 0, (), Source.OPEN)
        try:
            return self._client.check(key, self._limits)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:  # noqa: BLE001 - the task must not suffer for its limiter
            return self._failed(task, "the check", error)

    def _bucket(self, task: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        if not callable(self._key):
            return bucket_key(self._rule, self._key or task)
        identity = self._key(*args, **kwargs)
        return (
            None
            if identity is None
            else bucket_key(f"{self._rule}:{task}", identity_text(identity))
        )

    def _failed(self, task: str, what: object, error: Exception) -> Decision:
        policy = self._client.fallback.policy
        closed = policy is OnUnreachable.CLOSED
        done = f"{'put off' if closed else 'let through'} (on_unreachable={policy.value})"
        if line := self._faults.failed(task, what, error, done, time.monotonic()):
            log.error(line)
        source = Source.CLOSED if closed else Source.OPEN
        return Decision(not closed, self._limits, 0, (), source)

    @property
    def _client(self) -> BlockingClient:
        """That which was given, or that of this process. Of two threads', one's is kept."""
        return self._given or _KEPT.get(True) or _KEPT.setdefault(True, BlockingClient())


_KEPT: Final[dict[bool, BlockingClient]] = {}
"""That of this process, once it is made: a decorator at import has nobody who hands it one."""
