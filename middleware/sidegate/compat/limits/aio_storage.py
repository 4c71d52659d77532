"""AsyncSidegateStorage: a storage of `limits.aio`, for any number of event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limits.aio.storage import MovingWindowSupport, SlidingWindowCounterSupport, Storage
from limits.errors import StorageError

from sidegate.client.client import Client
from sidegate.compat.limits.hits import Hits
from sidegate.compat.limits.in_process import AwaitedInProcess
from sidegate.compat.limits.recent_answers import LOOK, RecentAnswers, is_there
from sidegate.compat.limits.settings import read_settings
from sidegate.errors import CheckError, SidegateError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.compat.limits.hit import Hit, HitAnswer


class AsyncSidegateStorage(Storage, MovingWindowSupport, SlidingWindowCounterSupport):
    """Asks the sidecar at `async+sidegate://HOST:PORT` or `async+sidegate+unix:///PATH`.

    Otherwise as SidegateStorage, with the options of Client.
    """

    STORAGE_SCHEME = [  # noqa: RUF012 - as theirs
        "async+sidegate",
        "async+sidegate+unix",
        "async+sidegate+memory",
    ]

    def __init__(
        self,
        uri: str | None = None,
        wrap_exceptions: bool = False,
        **options: object,
    ) -> None:
        """Read the address and the options; limits.errors.ConfigurationError names what is wrong.

        `on_unreachable="raise"` has StorageError raised where nobody can be asked, so that their
        swallow_errors and in_memory_fallback take over.
        """
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        settings = read_settings(uri, options)
        self.hits: Final = Hits(settings.prefix)
        self.storage: Final = settings.where  # their name, and what their command shows
        self._answers = RecentAnswers(settings.max_age, raises=settings.raises)
        self._client = AwaitedInProcess() if settings.in_memory else settings.client_of(Client)

    @property
    def base_exceptions(self) -> type[Exception]:
        """What is wrapped into StorageError, if `wrap_exceptions`."""
        return SidegateError

    async def take(self, hit: Hit) -> HitAnswer:
        """Charge what is wanted, if all of it is there."""
        try:
            decision = await self._client.check(*hit.asked)
        except CheckError as error:  # of an older sidecar, which knows no windows
            decision = self._client.decide_alone(*hit.asked, str(error))
        return self._answers.to(hit, decision)

    async def take_all(self, hits: Sequence[Hit]) -> bool:
        """Charge what is wanted of all of them, up to 64, or nothing; was it charged?"""
        if not all(hit.can_pass for hit in hits):
            return False
        made = await self._client.check_all([hit.asked for hit in hits])
        return self._answers.all_allowed(hits, made)

    async def recent(self, hit: Hit) -> HitAnswer:
        """Return what was answered about these limits a moment ago in this context, or look."""
        return self._answers.recent(hit) or await self.take(hit)

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:  # noqa: ARG002 - in the key
        """Charge `amount` tokens of a fixed window; return how many are spent, or would be."""
        return (await self.take(self.hits.fixed(key, amount))).count

    async def get(self, key: str) -> int:
        """Return how many tokens are spent of the present window."""
        return (await self.take(self.hits.fixed(key))).used

    async def get_expiry(self, key: str) -> float:
        """Return when the present window ends, in seconds since 1970; now if nothing is spent."""
        return (await self.recent(self.hits.fixed(key))).reset_at

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Charge `amount` tokens of a moving window, if it has them."""
        return (await self.take(self.hits.moving(key, limit, expiry, amount))).allowed

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return when the window began that ends when all is there again, and what is spent."""
        answer = await self.take(self.hits.moving(key, limit, expiry))
        return answer.reset_at - expiry, answer.used

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Charge `amount` tokens of a sliding window, if it has them."""
        return (await self.take(self.hits.moving(key, limit, expiry, amount))).allowed

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return a window before of which nothing counts, and the present one as it is now."""
        return (await self.take(self.hits.sliding(key))).as_sliding(expiry)

    async def clear(self, key: str) -> None:
        """Make a limit of a key full again. StorageError if nobody says that it was done."""
        self._answers.forget()
        try:
            await self._client.reset(self.hits.key(key))
        except Unreachable as error:
            raise StorageError(error) from error

    async def clear_sliding_window(self, key: str, expiry: int) -> None:  # noqa: ARG002 - in the key
        """Make a limit of a key full again, as `clear`."""
        await self.clear(key)

    async def reset(self) -> int | None:
        """Make all limits full again of this service and key_prefix; return how many were not.

        It is done on all nodes. StorageError if nobody says that it was done.
        """
        self._answers.forget()
        try:
            return (await self._client.reset_prefix(self.hits.prefix)).total
        except Unreachable as error:
            raise StorageError(error) from error

    async def check(self) -> bool:
        """Is there somebody who can be asked?"""
        return is_there(await self._client.check(*LOOK))
