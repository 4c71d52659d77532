"""`limited` of Celery: tasks run as its workers run them, in this process, without a sidecar."""

# Celery has no types of its own.
# mypy: disable-error-code="import-untyped, untyped-decorator"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

import logging
from datetime import UTC, datetime
from queue import Empty
from typing import Any, cast
from uuid import uuid4

import pytest
from celery import Celery, shared_task
from celery.app.trace import build_tracer
from celery.exceptions import SoftTimeLimitExceeded

from sidegate.client.blocking import BlockingClient
from sidegate.integrations.celery import JITTER, MAX_COUNTDOWN, limited
from sidegate.testing import Memory

NOBODY = "127.0.0.1:9"


@pytest.fixture
def app() -> Any:
    """Return an app with a queue of its own, in memory."""
    app = Celery("tests", broker="memory://", backend="cache+memory://", set_as_current=False)
    app.conf.task_default_queue = uuid4().hex
    return app


def work(app: Any, task: Any, *args: object, retries: int = 0, **kwargs: object) -> str:
    """Run a task as a worker does; return its state, or what it returned if that is a text."""
    name = app.conf.task_default_queue
    request: dict[str, Any] = {"id": f"{uuid4()}/{retries}", "task": task.name, "retries": retries}
    request["delivery_info"] = {"exchange": "", "routing_key": name}
    trace: Any = build_tracer(task.name, app.tasks[task.name], app=app)
    done: Any = trace(request["id"], args, kwargs, request)
    return str(done.info.state if done.info else done.retval)


def sent(app: Any) -> list[Any]:
    """Return the messages that wait in its queue, and take them out."""
    found: list[Any] = []
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue(app.conf.task_default_queue)
        while True:
            try:
                message = queue.get_nowait()
            except Empty:
                return found
            message.ack()
            found.append(message)


def seconds_until(message: Any) -> float:
    """Return the countdown of a message, which was just sent."""
    eta = datetime.fromisoformat(message.headers["eta"])
    return (eta - datetime.now(eta.tzinfo)).total_seconds()


def test_a_task_without_a_token_is_sent_again_as_it_was(app: Any, sidegate: Memory) -> None:
    """With the countdown until there is one, and as many retries behind it as before."""

    @app.task(shared=False, name="send", max_retries=2)
    @limited("2/minute")
    def send(to: str, subject: str = "") -> str:
        return f"{to} {subject}"

    assert [work(app, send, "a", subject="b", retries=2) for _ in range(3)] == ["a b"] * 2 + [
        "RETRY"
    ]
    (message,) = sent(app)
    assert message.payload[:2] == [["a"], {"subject": "b"}]
    assert message.headers["retries"] == 2
    assert message.headers["id"].endswith("/2")
    assert 0 < seconds_until(message) <= 30 * (1 + JITTER)
    assert sidegate.spent("celery:send") == {"2/minute": 2}
    sidegate.advance(30)
    assert [work(app, send, "a") for _ in range(2)] == ["a ", "RETRY"]


def test_the_countdown_is_never_less_than_the_wait_nor_without_end(app: Any) -> None:
    """Brokers deliver again what is not acknowledged for long."""
    countdowns = {"1/minute": 60.0, "1/day": MAX_COUNTDOWN}
    for at, (limit, wait) in enumerate(countdowns.items()):

        @app.task(shared=False, name=f"task{at}")
        @limited(limit, client=BlockingClient("memory"), key=uuid4().hex)
        def task() -> None: ...

        signalled = [work(app, task) for _ in range(6)]
        assert signalled == ["None"] + ["RETRY"] * 5
        assert all(wait - 5 < seconds_until(it) <= wait * (1 + JITTER) for it in sent(app))


@pytest.mark.parametrize(
    ("broker", "argument", "late", "state"),
    [
        (f"amqp://{NOBODY}", "a", True, "REJECTED"),
        (f"amqp://{NOBODY}", "a", False, "ran"),
        ("memory://", object(), True, "ran"),  # JSON can't hold it, now or later
    ],
)
@pytest.mark.usefixtures("sidegate")
def test_what_cannot_be_sent_again_is_logged_and_not_lost(
    broker: str, argument: object, late: bool, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes back to its queue or runs, and it is none of the retries that a task makes itself."""
    app: Any = Celery("tests", broker=broker, set_as_current=False)
    app.conf.update(
        task_publish_retry=False, broker_transport_options={"max_retries": 1, "interval_start": 0}
    )

    @app.task(shared=False, name="send", acks_late=late, autoretry_for=(Exception,))
    @limited("1/day")
    def send(_: object) -> str:
        return "ran"

    assert [work(app, send, argument) for _ in range(2)] == ["ran", state]
    (line,) = [it for it in caplog.messages if it.startswith("task 'send' has no token, can't be")]
    assert line.endswith("runs all the same" if state == "ran" else "goes back to its queue")


def by_account(account: int, path: str = "") -> int | None:
    del path
    return account or None


def test_a_key_is_a_function_of_the_arguments(
    app: Any, sidegate: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    """None is no limit, and no fault."""

    @app.task(shared=False, name="fetch")
    @limited("1/day", key=by_account, service="shop")
    def fetch(account: int, path: str = "") -> str:
        return f"{account}{path}"

    assert [work(app, fetch, it) for it in (1, 2, 1, 0, 0)] == ["1", "2", "RETRY", "0", "0"]
    assert sidegate.keys() == ["shop/celery:fetch:1", "shop/celery:fetch:2"]
    assert not [it for it in caplog.records if it.name == "sidegate"]


def test_tasks_share_a_key_that_is_a_text(app: Any, sidegate: Memory) -> None:
    @app.task(shared=False, name="one")
    @limited("1/day", key="mails")
    def one() -> str:
        return "one"

    @app.task(shared=False, name="two", bind=True)
    @limited("1/day", key="mails")
    def two(self: Any) -> str:
        return str(self.name)

    assert [work(app, one), work(app, two)] == ["one", "RETRY"]
    assert sidegate.keys() == ["celery:mails"]
    sidegate.reset()
    assert [work(app, two), work(app, one)] == ["two", "RETRY"]


def test_a_call_as_a_function_is_not_limited(app: Any, sidegate: Memory) -> None:
    """Neither outside of a worker, nor in the body of another task."""

    @app.task(shared=False, name="inner")
    @limited("1/day")
    def inner() -> str:
        return "inner"

    @app.task(shared=False, name="outer")
    def outer() -> str:
        return "".join(inner() for _ in range(2))

    assert [inner(), inner(), work(app, outer)] == ["inner", "inner", "innerinner"]
    assert sidegate.keys() == []


@pytest.mark.usefixtures("sidegate")
def test_in_eager_mode_a_task_without_a_token_does_not_run(app: Any) -> None:
    """Its state says so, and nothing is tried again at once and for ever."""
    app.conf.task_always_eager = True

    @app.task(shared=False, name="send", autoretry_for=(Exception,))
    @limited("1/day")
    def send() -> str:
        return "sent"

    assert [send.delay().state for _ in range(2)] == ["SUCCESS", "RETRY"]
    assert send.delay().get() is None


@pytest.mark.usefixtures("sidegate")
def test_celery_checks_arguments_as_ever(app: Any) -> None:
    @app.task(shared=False, name="send")
    @limited("1/day")
    def send(to: str) -> str:
        return to

    with pytest.raises(TypeError, match="to"):
        send.delay()


def fails(*_: object) -> str:
    raise ZeroDivisionError


def no_text(*_: object) -> Any:
    return b"no text"


@pytest.mark.parametrize("key", [fails, no_text])
@pytest.mark.parametrize(("policy", "state"), [("open", "ran"), ("closed", "RETRY")])
@pytest.mark.usefixtures("sidegate")
def test_a_key_that_fails_is_logged_once_and_goes_by_the_policy(
    app: Any, key: Any, policy: str, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    @app.task(shared=False, name="send")
    @limited("1/day", key=key, client=BlockingClient(on_unreachable=policy))
    def send() -> str:
        return "ran"

    with caplog.at_level(logging.ERROR, "sidegate"):
        assert [work(app, send) for _ in range(3)] == [state] * 3
    (line,) = [it.getMessage() for it in caplog.records if it.name == "sidegate"]
    assert "rule 'send'" in line
    assert key.__name__ in line
    assert f"on_unreachable={policy}" in line


@pytest.mark.parametrize(
    ("policy", "states"),
    [("open", ["ran"] * 3), ("closed", ["RETRY"] * 3), ("local", ["ran", "RETRY", "RETRY"])],
)
def test_without_a_sidecar_it_goes_by_the_policy(app: Any, policy: str, states: list[str]) -> None:
    @app.task(shared=False, name="send")
    @limited("1/day", client=BlockingClient(NOBODY, on_unreachable=policy))
    def send() -> str:
        return "ran"

    begun = datetime.now(UTC)
    assert [work(app, send) for _ in range(3)] == states
    countdowns = [datetime.fromisoformat(it.headers["eta"]) - begun for it in sent(app)]
    assert all(it.total_seconds() >= 1 for it in countdowns)


def out_of_time() -> str:
    raise SoftTimeLimitExceeded


@pytest.mark.usefixtures("sidegate")
def test_the_end_of_the_tasks_time_is_no_fault_of_a_key(app: Any) -> None:
    @app.task(shared=False, name="send")
    @limited("1/day", key=out_of_time)
    def send() -> None: ...

    assert work(app, send) == "FAILURE"


def test_above_the_task_it_is_refused_at_import(app: Any) -> None:
    def send() -> None: ...

    for decorate in (app.task(shared=False), shared_task(shared=False)):
        with pytest.raises(TypeError, match="must stand below"):
            limited("1/day")(cast("Any", decorate)(send))
