"""A question: key, limits and cost, made fit for the wire or refused at once. Pure.

What the codec can't write must not get near a connection: a key of half a surrogate pair would
spoil the whole frame that it travels in, with the checks of everybody else.
"""

from sidegate.buckets.limits import Limits, parse_limits, require_cost
from sidegate.protocol.messages import SURELY_SHORT_KEY, Check, require_key


def question(key: str, limits: str | Limits, cost: int) -> tuple[Check, Limits]:
    """Return the check to send, and its limits as they were read.

    LimitError, CostError or KeyTooLong name what can't be asked; so does UnicodeEncodeError (a
    ValueError) for a key that is no text, and TypeError for what is of another type altogether.
    """
    if not isinstance(limits, Limits):
        limits = _read(limits)
    if type(key) is not str or type(cost) is not int:
        key, cost = _plain(key, cost)
    require_cost(cost, limits)
    if len(key) > SURELY_SHORT_KEY or not key.isascii():
        require_key(key)
    return (key, limits.text, cost), limits


def _read(limits: object) -> Limits:
    if isinstance(limits, str):
        return parse_limits(limits)
    raise TypeError(f"limits={limits!r:.80}: expected a text or Limits")


def _plain(key: object, cost: object) -> tuple[str, int]:
    """Return what a subclass (a marked-safe string, an IntEnum) stands for."""
    if not isinstance(key, str):
        raise TypeError(f"key={key!r:.80}: expected a text")
    if not isinstance(cost, int) or isinstance(cost, bool):
        raise TypeError(f"cost={cost!r:.80}: expected a whole number")
    return str.__str__(key), int(cost)
