"""Spellings of a credential: header lines in which an app may still see the one it knows."""

import base64
from collections.abc import Iterator
from itertools import product
from typing import Final

from tests.cluster.spelling.credentials.accounts import PASSWORDS, basic, jwt

# {good} is the value an app knows, {junk} one that nobody wrote before; lines end at "|".
TWO_LINES: Final = (
    "{name}: {good}|{name}: {junk}",
    "{name}: {junk}|{name}: {good}",
    "{name}: {good}|{lower}: {junk}",
    "{upper}: {junk}|{name}: {good}",
    "{name}: {good}|Host: localhost|{name}: {junk}",
    "{name}: {good}|{name}: {junk}|{name}: {junk}",
    "{name}: {junk}|{name}: {good}|{name}: {junk}",
    "{name}: {good}|{name}: {good}",
    "{name}: {good}|{name}:",
    "{name}:|{name}: {good}",
    "{name}: {good}|{name}:  ",
    "{name}: ,|{name}: {good}",
    "{name}: {good}|{under}: {junk}",
    "{under}: {junk}|{name}: {good}",
    "{under}: {good}|{name}: {junk}",
    "{name}: {good}|{mixed}: {junk}",
    "{name}: {good}| {junk}",
    "{name}: {good}|\t{junk}",
    "{name}:| {good}",
    "{name}: {junk}|X: y\n{name}: {good}",
    "X: y\r{name}: {junk}|{name}: {good}",
)
ONE_LINE: Final = (
    *("{name}: {good}", "{lower}: {good}", "{upper}: {good}", "{under}: {good}", "{mixed}: {good}"),
    *("{name}:{good}", "{name}:   {good}", "{name}:\t{good}"),
    *("{name}: {good} ", "{name}: {good}\t"),
    *("{name} : {good}", "{name}\t: {good}", " {name}: {good}"),
    *("{name}: \x0b{good}", "{name}: {good}\x0c"),
    *("{name}: \xa0{good}", "{name}: {good}\xa0", "{name}: {good}\x85", "{name}: {good}\x1f"),
    *("{name}: {good}\x00", "{name}: {good}\x00{junk}"),
    *("{name}: {good}\r", "{name}: {good}\r{junk}"),
    *("{name}: {good},{junk}", "{name}: {good}, {junk}"),
    *("{name}: {junk},{good}", "{name}: {good},"),
    *("{name}: ,{good}", "{name}: {good} {junk}", "{name}: {good};{junk}", '{name}: "{good}"'),
    *("{name}: {good}={junk}", "{name}: {good}#{junk}", "{name}: {good}?{junk}"),
)
AUTHORIZATIONS: Final = (
    *("{scheme} {good}", "{small} {good}", "{big} {good}", "{odd} {good}"),
    *("{scheme}  {good}", "{scheme}     {good}", "{scheme}\t{good}", "{scheme} \t {good}"),
    *("{odd}  {good}", "{scheme} {good} {junk}"),
    *("{scheme} {good}  {junk}", "{scheme} {good}\t{junk}"),
    *("{scheme} {good},{junk}", "{scheme} {good}, {junk}", "{scheme} {good};{junk}"),
    *("{scheme} {junk} {good}", "{scheme} {junk},{good}", "{scheme}{junk} {good}", "{junk} {good}"),
    *("{scheme}, {good}", "{scheme}: {good}", "{scheme}={good}"),
    *("{good}", "{scheme} {scheme} {good}"),
    *("{scheme}\xa0{good}", "{scheme} \xa0{good}", "{scheme} {good}\xa0", "{scheme}\x0b{good}"),
    *("{scheme} {good}\x85", "{scheme}\x1c{good}\x1d{junk}"),
    *('{scheme} "{good}"', "{scheme} {good}="),
)


def keys(name: str, good: str, junks: Iterator[str]) -> list[list[str]]:
    """Return the lines of each spelling of a key in the header field `name`."""
    names = {
        "name": name,
        "lower": name.lower(),
        "upper": name.upper(),
        "under": name.replace("-", "_"),
        "mixed": name.replace("-", "_", 1),
    }
    spellings = (*ONE_LINE, *TWO_LINES)
    return [it.format(**names, good=good, junk=next(junks)).split("|") for it in spellings]


def authorizations(scheme: str, good: str, junks: Iterator[str]) -> list[list[str]]:
    """Return the lines of each spelling of what follows a scheme in Authorization."""
    words = {
        "scheme": scheme,
        "small": scheme.lower(),
        "big": scheme.upper(),
        "odd": scheme.swapcase(),
    }
    values = [it.format(**words, good=good, junk=next(junks)) for it in AUTHORIZATIONS]
    lines = keys("Authorization", f"{scheme} {good}", (f"{scheme} {junk}" for junk in junks))
    return [[f"Authorization: {value}"] for value in values] + lines


def tokens(good: str) -> Iterator[str]:
    """Return texts that a lenient reader takes for the same JSON Web Token."""
    token = jwt(good)
    signed, _, signature = token.rpartition(".")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = letters.index(signature[-1])  # of its six bits two mean nothing
    yield from (signed + "." + signature[:-1] + letters[last & ~3 | bits] for bits in range(4))
    for junk in ("!!!!", "~~~~", "!~!~", "$$$$$$$$", "(())", "\xa0\xa0\xa0\xa0"):
        yield f"{signed}.{junk}{signature}"
        yield f"{signed}.{signature[:9]}{junk}{signature[9:]}"
        yield f"{signed}.{signature}{junk}"
    yield from (token + "=", token + "==", token + "=junk", token + "=====")
    yield f"{signed}.{signature.replace('-', '+').replace('_', '/')}"


def users(good: str) -> Iterator[str]:
    """Return texts that a lenient reader takes for the same user with a right password."""
    for password in PASSWORDS:
        text = basic(good, password)
        yield from (text, text.rstrip("="), text + "=", text + "====", text + "junk")
        yield from (
            text[:5] + junk + text[5:] for junk in ("!", "!!!!", "-", "~", "\xa0", " ", "\t")
        )
        yield from (junk + text for junk in ("!", "~~~~"))
        yield from (text + junk for junk in ("!", "~~~~", " junk", "=junk"))
    yield from _unused_bits(basic(good))
    yield base64.b64encode(f"{good}:password".encode("utf-16")).decode()
    yield base64.b64encode(f"\ufeff{good}:password".encode()).decode()
    yield base64.b64encode(f" {good}:password".encode()).decode()
    yield base64.b64encode(f"{good}:password\n".encode()).decode()


def _unused_bits(text: str) -> Iterator[str]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bare = text.rstrip("=")
    unused = 1 << 2 * (len(text) - len(bare))
    last = letters.index(bare[-1])
    for bits in range(unused):
        yield bare[:-1] + letters[last & -unused | bits] + "=" * (len(text) - len(bare))


def of_scheme(scheme: str, good: str, junks: Iterator[str]) -> list[list[str]]:
    """Return the lines of all spellings of the credential `good` under a scheme."""
    if scheme == "key":
        return keys("X-Api-Key", good, junks)
    if scheme == "basic":
        spelled = list(users(good))
        plain = authorizations("Basic", basic(good), (basic(junk) for junk in junks))
        return plain + [[f"Authorization: Basic {it}"] for it in spelled]
    if scheme == "bearer":
        return authorizations("Bearer", good, junks)
    schemes = ("Bearer", "bEARER")
    return [[f"Authorization: {it[0]} {it[1]}"] for it in product(schemes, tokens(good))]


def plain(scheme: str, good: str) -> str:
    """Return the line of a credential as it should be."""
    return {
        "key": f"X-Api-Key: {good}",
        "bearer": f"Authorization: Bearer {good}",
        "jwt": f"Authorization: Bearer {jwt(good)}",
        "basic": f"Authorization: Basic {basic(good)}",
    }[scheme]
