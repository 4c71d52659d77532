"""Messages: their bytes are those that the protocol says, and the longest fit into a frame."""

import msgspec
import pytest

from sidegate.errors import KeyTooLong
from sidegate.protocol.codec import (
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    MAX_HELLO_BYTES,
    decode,
    encode,
    tracing_decoder,
)
from sidegate.protocol.messages import (
    MAX_CHECKS,
    MAX_KEY_BYTES,
    MAX_REFUNDS,
    Answers,
    Buckets,
    Charged,
    Checks,
    Gossip,
    Hello,
    Message,
    Ping,
    Refund,
    Resets,
    StoodIn,
    TracedChecks,
    require_key,
)
from sidegate_ring.membership.messages import MAX_ADDRESS_BYTES, MAX_IN_FULL, MAX_NAME_BYTES
from sidegate_sidecar.replication.corrections.resets import RESETS_A_MESSAGE
from sidegate_sidecar.replication.corrections.stand_in_ledgers import CHARGES_A_MESSAGE
from sidegate_sidecar.replication.outgoing.outbox import BATCH
from tests.middleware.golden import GOLDEN, MESSAGES, PROTOCOL


def pack(*values: object) -> bytes:
    return msgspec.msgpack.encode(list(values))


class TestBytes:
    @pytest.mark.parametrize("name", MESSAGES)
    def test_each_has_the_bytes_of_protocol_md_and_is_read_from_them(self, name: str) -> None:
        assert encode(MESSAGES[name]) == GOLDEN[name]
        read = tracing_decoder() if isinstance(MESSAGES[name], TracedChecks) else decode
        assert read(GOLDEN[name][HEADER_BYTES:]) == MESSAGES[name]

    def test_every_message_is_golden(self) -> None:
        """No kind of message is missing from protocol.md, and it shows no frame beside these."""
        assert GOLDEN.keys() == MESSAGES.keys()
        kinds = {*Message.__args__, TracedChecks}
        assert {type(message) for message in MESSAGES.values()} == kinds

    def test_protocol_md_states_the_limits_that_the_code_has(self) -> None:
        for limit in (MAX_FRAME_BYTES, MAX_HELLO_BYTES, MAX_KEY_BYTES, MAX_CHECKS, MAX_REFUNDS):
            assert f"{limit:,}" in PROTOCOL

    def test_whole_numbers_may_be_wide(self) -> None:
        wide = bytes.fromhex("92 05 cf 00 00 00 00 00 00 00 09")
        assert decode(wide) == Ping(9)

    def test_fields_that_a_later_release_appends_are_ignored(self) -> None:
        assert decode(pack(5, 9, "new", {"and": ["more"]})) == Ping(9)

    def test_optional_fields_may_be_left_out(self) -> None:
        assert decode(pack(4, 7, "owner", "n", None, [[1, 5]])) == Answers(
            7, "owner", "n", None, [[1, 5]]
        )
        assert decode(pack(3, 7, 0, 5, [["k", "1/s", 1]])) == Checks(7, 0, 5, [("k", "1/s", 1)])
        assert decode(pack(11, 4, 0, "", "d", [])) == Gossip(4, 0, "", "d", [], rules=None)


class TestKeys:
    @pytest.mark.parametrize("key", ["", "a" * 512, "é" * 256, "€" * 170, "\U0001f600" * 128])
    def test_up_to_512_bytes_of_utf_8_are_a_key(self, key: str) -> None:
        require_key(key)

    @pytest.mark.parametrize(
        ("key", "size"),
        [("a" * 513, 513), ("é" * 257, 514), ("\U0001f600" * 129, 516), ("k" * 10_000, 10_000)],
    )
    def test_more_are_refused_with_their_number(self, key: str, size: int) -> None:
        with pytest.raises(KeyTooLong, match=f"key of {size} bytes"):
            require_key(key)

    def test_what_has_no_bytes_in_utf_8_is_refused_however_short(self) -> None:
        with pytest.raises(UnicodeEncodeError):
            require_key("\ud800")


def test_the_longest_hello_fits_in_what_is_taken_before_the_handshake() -> None:
    name = "\U0001f600" * 63
    longest = Hello(1, "node", name, name, bytes(32), f"{name}:65535", f"{name}:65535", "f" * 16)
    assert len(encode(longest)) < MAX_HELLO_BYTES


def test_largest_frames() -> None:
    """The longest messages that are ever made fit into a frame.

    Those are 4,096 checks with keys of 200 bytes, their answers, a thousand rumors about nodes
    with long names, and a batch of buckets that have nothing in common.
    """
    checks = Checks(
        2**62, 0, 10**6, [("k" * 200, "10000/365 days burst 100000", 10**4)] * MAX_CHECKS
    )
    answers = Answers(
        2**62, "owner", "n" * 253, list(range(MAX_CHECKS)), [[1, *[2**62] * 8]] * MAX_CHECKS
    )
    rumor = (
        "n" * MAX_NAME_BYTES,
        "a" * MAX_ADDRESS_BYTES,
        2**53,
        3,
        1,
        "b" * MAX_NAME_BYTES,
        2**64 - 1,
    )
    gossip = Gossip(6, 2**62, "", "d" * 16, [rumor] * MAX_IN_FULL)
    group = ("1000000000000/365 days burst 1000000000000", ["k" * MAX_KEY_BYTES], [2**62])
    buckets = Buckets(2**62, [group] * BATCH)
    charge = 2**62, MAX_CHECKS, 10**12
    debts = [2**62] * 8
    rows: list[StoodIn] = [("k" * MAX_KEY_BYTES, "10000/365 days burst 100000", debts, [charge])]
    charged = Charged(2**62, rows * CHARGES_A_MESSAGE)
    resets = Resets(2**62, [(2**62, "k" * MAX_KEY_BYTES, 2**62)] * RESETS_A_MESSAGE)
    limits = "; ".join([f"1000000000000/{at} days burst 1000000000000" for at in range(100, 108)])
    refund = Refund(0, [("k" * MAX_KEY_BYTES, limits, 10**12)] * MAX_REFUNDS)
    assert len(encode(refund)) <= MAX_FRAME_BYTES
    assert len(encode(charged)) <= MAX_FRAME_BYTES
    assert len(encode(resets)) <= MAX_FRAME_BYTES
    assert len(encode(gossip)) <= MAX_FRAME_BYTES
    assert len(encode(buckets)) <= MAX_FRAME_BYTES
    assert len(encode(checks)) <= MAX_FRAME_BYTES
    assert len(encode(answers)) <= MAX_FRAME_BYTES
