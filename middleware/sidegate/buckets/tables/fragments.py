"""Fragments: memory that is free, and can't be used for keys of other lengths.

CPython keeps small objects in pools of 16 KiB, each for one size. A pool is free for other sizes
only when its last object is gone. So who fills the memory with keys of one length, has one in a
hundred stay, and goes on to another length, makes a process grow to many times what it holds.

What may be lost so is for each size what was taken at most, less what is taken now. When that is
too much the keys are copied, by which those of one size come to lie side by side.
"""

_STEP = 4  # bits: the allocator rounds up to 16 bytes
_SIZES = 512
_TOP = _SIZES << _STEP  # kept apart, up to 8 KiB; a key of 512 bytes takes half of that at the most


class Fragments:
    """What may be `lost`, in bytes, of the memory of buckets that came and went."""

    __slots__ = ("_held", "_most", "lost")  # counted by hand: a bucket comes and goes in 3 µs

    def __init__(self) -> None:
        self.lost = 0
        self._held = [0] * _SIZES  # buckets by size
        self._most = [0] * _SIZES

    def enter(self, size: int) -> None:
        """Count a bucket of so many bytes in."""
        at = size >> _STEP if size < _TOP else _SIZES - 1
        held = self._held[at] = self._held[at] + 1
        if held > self._most[at]:
            self._most[at] = held
        else:
            self.lost -= size

    def leave(self, size: int) -> None:
        """Count one out."""
        self._held[size >> _STEP if size < _TOP else _SIZES - 1] -= 1
        self.lost += size

    def mend(self) -> None:
        """Forget what may be missing: all keys are about to be copied."""
        self.lost = 0
        self._most = self._held.copy()
