"""Credentials: all spellings of one credential that common readers take are one identity."""

import hmac
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.http.request.credentials import authorization, basic_user, bearer_token, first_member

SECRET = b"a secret of the app"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def unpadded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def jwt_of(user: str) -> str:
    head = unpadded(json.dumps({"alg": "HS256"}, separators=(",", ":")).encode())
    signed = f"{head}.{unpadded(json.dumps({'sub': user}).encode())}"
    return f"{signed}.{unpadded(hmac.digest(SECRET, signed.encode(), 'sha256'))}"


def is_valid(token: str) -> bool:
    """Verify a token as PyJWT does: padding is added, and what isn't Base64 is skipped."""
    signed, _, signature = token.rpartition(".")
    try:
        given = urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except ValueError:
        return False
    return hmac.compare_digest(given, hmac.digest(SECRET, signed.encode(), "sha256"))


@pytest.mark.parametrize(
    "value",
    [
        "Bearer abc",
        "bEaReR abc",
        "BEARER  abc",
        "Bearer\tabc",
        " Bearer abc ",
        "Bearer abc junk17",
        "Bearer abc,Bearer junk",
        "Bearer abc, Basic xyz",
    ],
)
def test_a_bearer_token_is_one_however_it_is_spelled(value: str) -> None:
    assert bearer_token(value) == "abc"
    assert authorization(value) == "bearer abc"


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic", "Basic YTpi", ",", "Bearer ,"])
def test_what_is_no_bearer_token_is_none(value: str) -> None:
    assert bearer_token(value) == ""


def test_a_signature_counts_by_what_it_stands_for() -> None:
    """Two unused bits end a signature of 32 bytes, and junk between is skipped."""
    token = jwt_of("ann")
    last = ALPHABET.index(token[-1])
    spellings = {token[:-1] + ALPHABET[last & ~3 | bits] for bits in range(4)}
    spellings |= {
        f"{token}!!!!",
        f"{token}=",
        token.replace("-", "+"),
        token[:-5] + "!~!~" + token[-5:],
    }
    assert all(map(is_valid, spellings))
    assert len({bearer_token(f"Bearer {each}") for each in spellings}) == 1


@given(st.text(ALPHABET + "!~*=.", max_size=6), st.integers(0, 43))
def test_no_valid_spelling_of_a_token_is_another_identity(junk: str, at: int) -> None:
    token = jwt_of("ann")
    cut = len(token) - at
    spelled = token[:cut] + junk + token[cut:]
    if is_valid(spelled):
        assert bearer_token(f"Bearer {spelled}") == bearer_token(f"Bearer {token}")


def test_the_second_half_of_an_ecdsa_signature_makes_no_difference() -> None:
    """With (r, s) the pair (r, n - s) is valid too, and anybody can work it out."""
    head, payload, _ = jwt_of("ann").split(".")
    first, second = (f"{head}.{payload}.{unpadded(b'r' * 32 + s * 32)}" for s in (b"s", b"t"))
    assert bearer_token(f"Bearer {first}") == bearer_token(f"Bearer {second}")


def test_other_users_have_other_tokens() -> None:
    assert bearer_token(f"Bearer {jwt_of('ann')}") != bearer_token(f"Bearer {jwt_of('bob')}")


@pytest.mark.parametrize("token", ["sk.abc.a1", "sk.abc.a2", "eyJhIjox", "a.b", "eyJ.!.\ud800"])
def test_a_token_that_is_no_jwt_counts_as_it_is(token: str) -> None:
    assert bearer_token(f"Bearer {token}") == token


ANN = b64encode(b"ann:secret").decode()


@pytest.mark.parametrize(
    "value",
    [
        f"Basic {ANN}",
        f"bAsIc {ANN}",
        f"Basic   {ANN}",
        f"Basic {ANN.rstrip('=')}",
        f"Basic {ANN[:3]}!{ANN[3:]}",
        f"Basic {ANN[:3]},{ANN[3:]}",
        f"Basic {ANN[:3]} {ANN[3:]}",
        f"Basic {ANN[:3]}-{ANN[3:]}",
        f"Basic {ANN}junk17",
        f"Basic {ANN},Basic {ANN}",
        f"Basic {b64encode(b'ann:other').decode()}",
        f"Basic {ANN}\xa0",
        f"Basic {ANN}\x85",
    ],
)
def test_a_basic_user_is_one_however_it_is_spelled(value: str) -> None:
    assert basic_user(value) == "ann"
    assert authorization(value) == "basic ann"


@pytest.mark.parametrize("value", ["", "Basic", "Basic !", "Basic a", "Bearer abc", "Basic é"])
def test_what_has_no_basic_user_has_none(value: str) -> None:
    assert basic_user(value) == ""


@pytest.mark.parametrize("written", ["é:x".encode(), "é:x".encode("latin-1")])
def test_a_user_is_utf_8_or_else_latin_1(written: bytes) -> None:
    assert basic_user(f"Basic {b64encode(written).decode()}") == "é"


@pytest.mark.parametrize(
    "value",
    [
        "abc",
        "ApiKey  abc  def",
        "JUNK abc",
        "Bearer: abc",
        "Bearer, abc",
        ",Bearer abc",
        "Basic abc",
    ],
)
def test_the_second_word_is_a_token_whatever_the_first(value: str) -> None:
    """So apps read it that split the field, and ask nothing of its first word."""
    assert bearer_token(value) == "abc"
    assert authorization(value) == "bearer abc"


@pytest.mark.parametrize(
    ("value", "member"), [("a", "a"), ("a,b", "a"), (" a , b", "a"), (",b", "")]
)
def test_of_a_list_the_first_member_counts(value: str, member: str) -> None:
    assert first_member(value) == member
