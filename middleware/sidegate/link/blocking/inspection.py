"""An inspection: one question for people and scripts, by a thread, over a connection of its own.

So it needs none of the multiplexer's rules: nobody else waits behind it, and how long an owner
takes to be asked says nothing about the sidecar. It is for people and scripts, who can wait for
a handshake.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sidegate.link.blocking.conversation import LONGEST_STEP
from sidegate.link.blocking.line import Line
from sidegate.protocol.codec import decode, refuse
from sidegate.protocol.messages import Forget, Ping, Roster

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from sidegate.link.endpoint import Endpoint
    from sidegate.protocol.messages import Inquiry, InquiryAnswer, Message, Pong

    InquiryAnswerT = TypeVar("InquiryAnswerT", bound=InquiryAnswer | Pong)


def inquire(
    options: Endpoint,
    question: Inquiry | Ping,
    kind: type[InquiryAnswerT],
    within: float,
    first: Callable[[], Sequence[Message]] = tuple,
) -> InquiryAnswerT:
    """Return the answer to a question, which is of that kind, within so many seconds, or FAULTS.

    What `first` returns, once the connection is there, is told before.
    """
    line = Line(options, min(LONGEST_STEP, options.budget / 8))
    deadline = time.monotonic() + within
    try:
        return _answer(line, question, kind, deadline, first)
    except TimeoutError:
        raise TimeoutError(f"no answer within {within * 1e3:g} ms") from None
    except Exception as error:
        line.fail(error)
        raise
    finally:
        line.close()


def _answer(
    line: Line,
    question: Inquiry | Ping,
    kind: type[InquiryAnswerT],
    deadline: float,
    first: Callable[[], Sequence[Message]],
) -> InquiryAnswerT:
    while not line.is_up:
        _require_time(deadline, heard=line.advance())
    for message in first():
        line.tell(message)
    line.tell(question)
    while True:
        if line.is_clogged:
            line.send(b"")
        bodies = line.receive()
        for body in bodies:
            if isinstance(answer := decode(body), kind):
                return answer
            if not isinstance(answer, (Roster, Forget, Ping)):
                refuse(answer)
        _require_time(deadline, heard=bool(bodies))


def _require_time(deadline: float, *, heard: bool) -> None:
    """Raise TimeoutError if time is up, and nothing has come that may be read already."""
    if not heard and time.monotonic() >= deadline:
        raise TimeoutError
