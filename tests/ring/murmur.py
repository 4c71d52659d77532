"""Texts that collide in murmur3 x64 128 under all of its seeds, to show what that would be worth.

By Aumasson and Bernstein, "Hash-flooding DoS reloaded: attacks and defenses" (29C3, 2012). Each
block of 16 bytes is two words. A word is stirred on its own before it meets the state, by a
function that can be undone, so a difference of one stirred bit can be chosen freely. At the top
bit of the state an addition can't spread it, and the next word takes it away again. Two blocks so
have a twin that leaves the state where they leave it, whatever the seed and whatever came before.
"""

from collections.abc import Callable
from functools import partial
from random import Random

MASK = (1 << 64) - 1
C1, C2 = 0x87C3_7B91_1142_53D5, 0x4CF5_AD43_2745_937F


def rotate(word: int, by: int) -> int:
    return (word << by | word >> (64 - by)) & MASK


def stirred(word: int, first: int, by: int, second: int) -> int:
    return rotate(word * first & MASK, by) * second & MASK


def unstirred(word: int, first: int, by: int, second: int) -> int:
    back = rotate(word * pow(second, -1, 1 << 64) & MASK, 64 - by)
    return back * pow(first, -1, 1 << 64) & MASK


def twins(seed: int) -> tuple[str, str]:
    """Return two texts of 32 bytes that are the same to murmur3, at a multiple of 16 bytes."""
    random = Random(seed)
    ascii_only = partial(_ascii, random, 8)
    upper, upper_twin = _pair(ascii_only, (C1, 31, C2), 63 - 27)  # then rotated by 27
    lower, lower_twin = _pair(ascii_only, (C2, 33, C1), 63 - 31)  # then by 31, and both add up
    # It takes away what is left of the first. Only its later half differs, by a number that no two
    # ASCII texts are apart.
    after, after_twin = _pair(lambda: _ascii(random, 4) + _wide(random), (C1, 31, C2), 63)
    rest = _ascii(random, 8)
    return upper + lower + after + rest, upper_twin + lower_twin + after_twin + rest


def _ascii(random: Random, count: int) -> str:
    return "".join(map(chr, random.choices(range(33, 127), k=count)))


def _wide(random: Random) -> str:
    """Return two letters of 2 bytes each."""
    return "".join(map(chr, random.choices(range(0x80, 0x800), k=2)))


def _pair(draw: Callable[[], str], stir: tuple[int, int, int], bit: int) -> tuple[str, str]:
    """Return a text of 8 bytes and another one, whose stirred forms differ in that bit only."""
    while True:
        text = draw()
        other = stirred(int.from_bytes(text.encode(), "little"), *stir) ^ 1 << bit
        try:
            return text, unstirred(other, *stir).to_bytes(8, "little").decode()
        except UnicodeDecodeError:
            continue
