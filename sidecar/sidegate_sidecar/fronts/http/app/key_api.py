"""The calls of the HTTP API about many keys at once."""

from typing import TYPE_CHECKING

from fastapi import Response
from fastapi.exceptions import RequestValidationError

from sidegate.protocol.key_messages import KeyOrder, ResetKeys
from sidegate_sidecar.fronts.http.app.key_models import (
    AllInQuery,
    IdentityInQuery,
    KeysFilled,
    KeysFound,
    MaxInQuery,
    OrderInQuery,
    PrefixInQuery,
    is_yes,
    question,
)

if TYPE_CHECKING:
    from sidegate_sidecar.links.keys.all_keys import AllKeys

NO_PREFIX = "prefix '': expected at least one character, or all=true to reset every key"


class KeyApi:
    """The calls. What each one's first line says is its text in the OpenAPI document."""

    def __init__(self, keys: "AllKeys") -> None:
        self._keys = keys

    async def keys(
        self,
        prefix: PrefixInQuery = "",
        identity: IdentityInQuery = None,
        order: OrderInQuery = KeyOrder.DEBT.value,
        max: MaxInQuery = "50",  # noqa: A002  # the word for it in a query
    ) -> Response:
        """List keys in debt, over all nodes.

        Each node walks through its buckets, checks go first; who hasn't answered within 250 ms is
        missing.
        """
        try:
            asked = question(prefix, identity, order, max)
        except ValueError as error:
            raise _invalid("identity", error) from None
        listed = await self._keys.first(asked)
        found = await self._keys.answers.done(KeysFound.of(asked, listed))
        return Response(found.model_dump_json(), media_type="application/json")

    async def reset_keys(
        self,
        prefix: PrefixInQuery = "",
        all: AllInQuery = "false",  # noqa: A002  # as above
    ) -> KeysFilled:
        """Forget all buckets of all keys that begin so, on all nodes, so that they are full.

        It lasts as a reset of one key does: nodes that are away are told when they are back. Takes
        up to 10 s where there are millions of buckets.
        """
        if not prefix and not is_yes(all):
            raise _invalid("prefix", ValueError(NO_PREFIX))
        reset = await self._keys.reset(ResetKeys(0, 0, prefix, int(is_yes(all))))
        return KeysFilled.of(prefix, reset)


def _invalid(field: str, error: ValueError) -> RequestValidationError:
    """Return the problem that a parameter is, as if it had been found when it was read."""
    fault = {"type": "value_error", "loc": ("query", field), "msg": str(error)}
    return RequestValidationError([{**fault, "ctx": {"error": error}}])
