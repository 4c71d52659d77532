"""A store: values by namespace and key, for their time, never more bytes than the bound. Pure.

At the bound the namespace that holds most gives up first, so none drives out what another has
within its fair share. Which of its values, `sieve.py` says. Values whose time is over take room
until then, or until somebody asks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.values.sieve import Sieve, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NAMESPACES = 64  # all are looked at to find the largest: 3 us at each eviction


class ValueStore:
    """The values of one process. `now` is in ns; `max_bytes` count what each takes beside itself.

    `evicted` counts the values that had time left.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self.evicted = 0
        self.namespaces: dict[str, Sieve] = {}

    def __len__(self) -> int:
        return sum(map(len, self.namespaces.values()))

    def get(self, namespace: str, key: str, now: int) -> Value | None:
        """Return the value of a key, fresh or stale, and count it as used; None if there is none.

        It is stale from its `fresh_until` on.
        """
        sieve = self.namespaces.get(namespace)
        entry = sieve.get(key) if sieve else None
        if entry is None:
            return None
        if entry.stale_until <= now:
            self.delete(namespace, key)
            return None
        entry.used = True
        return entry

    def set(self, namespace: str, key: str, entry: Value, now: int) -> bool:
        """Keep a value in the place of any other of its key; False if it can't be kept.

        That is if it is larger than half of the bound, its time is over, or there are too many
        namespaces. Then the key has none.
        """
        self.delete(namespace, key)
        if entry.size > self.max_bytes // 2 or entry.stale_until <= now:
            return False
        sieve = self.namespaces.get(namespace)
        if sieve is None:
            if len(self.namespaces) >= MAX_NAMESPACES:
                return False
            sieve = self.namespaces[namespace] = Sieve()
        sieve.add(key, entry)
        self.bytes += entry.size
        while self.bytes > self.max_bytes:
            self._evict(now)
        return True  # though a namespace above its share may have given up this very value

    def _evict(self, now: int) -> None:
        namespace, sieve = max(self.namespaces.items(), key=_bytes)
        _, entry = sieve.evict(now)
        self.bytes -= entry.size
        self.evicted += entry.stale_until > now
        if not sieve:
            del self.namespaces[namespace]

    def delete(self, namespace: str, key: str) -> Value | None:
        """Forget the value of a key; return it if there was one, however old."""
        sieve = self.namespaces.get(namespace)
        entry = sieve.remove(key) if sieve else None
        if entry is None or sieve is None:
            return None
        self.bytes -= entry.size
        if not sieve:
            del self.namespaces[namespace]
        return entry

    def clear(self, namespace: str) -> int:
        """Forget all values of a namespace; return how many."""
        sieve = self.namespaces.pop(namespace, None)
        if sieve is None:
            return 0
        self.bytes -= sieve.bytes
        return len(sieve)

    def by_use(self) -> Iterator[tuple[str, str] | None]:
        """Yield namespace and key of all values, in each namespace those in use first.

        And None now and then, as `Sieve.by_use` does.
        """
        for namespace, sieve in list(self.namespaces.items()):
            for key in sieve.by_use():
                yield None if key is None else (namespace, key)


def _bytes(item: tuple[str, Sieve]) -> int:
    return item[1].bytes
