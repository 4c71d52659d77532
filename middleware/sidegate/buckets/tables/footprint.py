"""Footprint: how many bytes of memory the parts of a table take. Never less than they do.

What is counted for a thing depends on nothing but the thing, so that what was added for it is
what is taken off again. It is for CPython 3.11 to 3.14, 64 bits; test_footprint.py holds it to
what the allocator says.
"""

# A dict that grows has room for up to 4 keys for each that it holds: 76 bytes. One that shrinks is
# copied when it takes more than this.
DICT_ENTRY = 100
_NUMBER = 48  # an int of up to 120 bits: when the bucket is full, in ticks
_DUE_ENTRY = 12  # a place in a tuple of 64, and a part of the tuple
_ASCII = 64  # a str without its characters: 49, and what is lost by rounding
_OTHER = 144  # two blocks: once a str has been encoded, it keeps its UTF-8 as well
_WIDEST = 8  # a character takes 1, 2 or 4 bytes, and up to 4 in UTF-8

BUCKET = DICT_ENTRY + _NUMBER + _DUE_ENTRY  # without its key. A multiple of 16, for Fragments
SLOT = 1_024  # a due time: its lists, and its places in the order of all of them
LEDGER = 3_584  # a rule under a limit, and the table of the limit, which several rules may share
SPREAD = 32_768  # the many dicts of a large table, with next to nothing in them


def bytes_of(key: str) -> int:
    """Return the bytes that a bucket takes, its key included."""
    if key.isascii():
        return BUCKET + _ASCII + len(key)
    return BUCKET + _OTHER + len(key) * _WIDEST
