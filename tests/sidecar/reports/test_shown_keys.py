"""How keys are shown: what is hidden can't be read, and what is the same looks the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidegate.protocol.keys import rule_of
from sidegate_sidecar.reports.shown_keys import ShownKeys, shown_key


@pytest.mark.parametrize(
    ("key", "masked"),
    [
        ("api:192.0.2.17", "api:192…"),
        ("login:alice@example.com", "login:alic…"),
        ("api:bob", "api:b…"),
        ("api:7", "api:…"),
        ("customer-7", "cus…"),
        ("", "…"),
        ("a:b:c:defghijkl", "a:b:c:…"),
    ],
)
def test_masked_keys_have_their_rule_and_a_little_more(key: str, masked: str) -> None:
    assert shown_key(key, ShownKeys.MASKED) == masked


@given(st.text(), st.sampled_from(ShownKeys))
def test_the_rule_of_a_key_stays(key: str, how: ShownKeys) -> None:
    assert rule_of(shown_key(key, how)) == rule_of(key)


@given(st.text(min_size=1), st.text(min_size=1), st.binary(max_size=100))
def test_hashed_keys_are_the_same_if_the_keys_are(one: str, other: str, salt: bytes) -> None:
    shown = [shown_key(f"api:{key}", ShownKeys.HASHED, salt) for key in (one, other)]
    assert (shown[0] == shown[1]) == (one == other)


def test_nobody_can_try_out_hashes_without_the_salt() -> None:
    hashes = {shown_key("api:192.0.2.1", ShownKeys.HASHED, salt) for salt in (b"", b"a", b"b")}
    assert len(hashes) == 3
