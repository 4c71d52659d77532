"""Frames byte by byte, as internals/protocol.md shows them to clients in other languages.

A change there is a change of the protocol: it breaks every client and every rolling deploy that
mixes two releases. Add a version instead.
"""

import re
from pathlib import Path

from sidegate.protocol import cache_messages, messages, report_messages, standing_messages
from sidegate.protocol.holds import slot_messages
from sidegate.protocol.holds.lease_messages import Borrow, Lent, Returned
from sidegate.protocol.holds.reservation_messages import (
    Commit,
    ReservationRows,
    Reserve,
    Reserved,
)
from sidegate.protocol.key_messages import (
    KeyOrder,
    KeysBy,
    KeysListed,
    KeysReset,
    ListKeys,
    ResetKeys,
)
from sidegate.protocol.outcome_messages import Outcomes
from sidegate.protocol.report_messages import EventQuery, Events

PROTOCOL = (Path(__file__).parents[2] / "docs/internals/protocol.md").read_text("utf-8")

GOLDEN = {
    name: bytes.fromhex(re.sub("#.*", "", text))
    for name, text in re.findall(r"\*\*(.+)\*\*\n\n```hex\n([^`]+)```", PROTOCOL)
}
"""By its name in that page, each frame that it shows."""

SEALED: dict[str, str] = dict(
    re.findall(r"^((?:key|tag) of \w[\w ]*\w) +([0-9a-f]{32,64})$", PROTOCOL, re.MULTILINE)
)
"""What seals the frames behind the handshake of APP and NODE: the keys, and the tags of the first
two frames that each of them sends, if they are these."""

SECRET = b"correct horse battery staple"  # that the proofs below prove
APP = messages.Hello(1, "app", "web-1", "", bytes(range(32)), "", "10.0.0.1:7171", "", 1)
RING = "6a03600020d502ef"  # fingerprint of the ring seed 00 01 … 1f
NODE = messages.Hello(
    1, "node", "node-a", "prod", bytes(range(32, 64)), "10.0.0.1:7171", "", RING, 1
)
PROOF = "9863043df5787204f02a9ea412b96d7643b8324c2db72705e0b3c37d2a7044a8"
WELCOME = "cdfd8f66d9be9c51ec9778007cad8d3d337ed1a5bcade53946be66e5d741509a"
SLOT = 0x0123456789ABCDEF
KEY, SERIAL, DEBT = "login:10.0.0.1", 0x1234567890ABCDEF, 12_000_000_000
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"  # of W3C's page
MEMBERS = [("node-a", "10.0.0.1:7171"), ("node-b", "10.0.0.2:7171")]

MESSAGES: dict[str, messages.Message] = {
    "Hello of an app": APP,
    "Hello of a node": NODE,
    "Proof": messages.Proof(bytes.fromhex(PROOF)),
    "Welcome": messages.Welcome(bytes.fromhex(WELCOME)),
    "Checks": messages.Checks(
        7, 0, 50_000, [(KEY, "5/minute", 1), ("api:k1", "100/second; 10000/hour", 2)]
    ),
    "Checks that belong to a trace": messages.TracedChecks(
        7, 0, 50_000, [(KEY, "5/minute", 1)], traces=[(0, PARENT)]
    ),
    "Checks that go to another node": messages.Checks(
        3, 1, 16_000, [(KEY, "5/minute", 1)], SERIAL, [4]
    ),
    "Answers to all": messages.Answers(
        7, "owner", "node-a", None, [[1, DEBT], [0, 990_000_000, 35_640_000_000]]
    ),
    "Answers to some": messages.Answers(
        7, "local", "node-a", [1], [[1, 60_000_000, 2_160_000_000]], 3
    ),
    "Answers by policy": messages.Answers(7, "open", "node-b", [0], [[1]]),
    "Answers with a reason": messages.Answers(
        8, "owner", "node-a", None, ["cost 6: expected 0 to 5"]
    ),
    "Ping": messages.Ping(9),
    "Pong": messages.Pong(9),
    "Roster": messages.Roster("8a1fc0de", MEMBERS),
    "Roster of a node that is leaving": messages.Roster("8a1fc0de", MEMBERS[:1], 1),
    "Inspect": messages.Inspect(10, 0, KEY),
    "Reset": messages.Reset(11, 0, KEY),
    "Holdings": messages.Holdings(10, "owner", "node-a", [("5/minute", DEBT)]),
    "Forget": messages.Forget(KEY),
    "Forget of all keys that begin so": messages.Forget("login:", 1),
    "ListKeys": ListKeys(18, 0, 250_000, KeysBy.PREFIX, "login:", KeyOrder.DEBT, 50),
    "KeysListed": KeysListed(
        18, ["node-a", "node-b"], ["node-c"], [], [(KEY, 0, [("5/minute", DEBT)])], 1
    ),
    "ResetKeys": ResetKeys(19, 0, "login:"),
    "ResetKeys that goes to another node": ResetKeys(4, 1, "login:", 0, SERIAL),
    "KeysReset": KeysReset(19, [("node-a", 17), ("node-b", 0)], ["node-c"]),
    "Outcomes": Outcomes([("open", 3)], [(KEY, "open", 1, 3, 0)]),
    "Outcomes that go to another node": Outcomes(
        [], [(KEY, "remembered", 0, 17, 0), (None, "remembered", 0, 4, 0)], 1
    ),
    "Refund": messages.Refund(0, [(KEY, "5/minute", 1)]),
    "ReportQuery": report_messages.ReportQuery(18, 0, 300, "login", "key", 20),
    "ReportPart": report_messages.ReportPart(
        18, "node-a", 4, [90, 12, 0, 1, 90], [(KEY, [30, 4, 12, 0])]
    ),
    "ReportAnswer": report_messages.ReportAnswer(
        18, 1, 2, ["node-b"], 330, 4, [90, 12, 0, 1, 90], [(KEY, "node-a", [30, 4, 12, 0])]
    ),
    "Events": Events([("signup", "DE", 3, 3_000_000), ("signup", None, 2, 2_000_000)]),
    "Events that go to another node": Events([("signup", "DE", 17, 17_000_000)], 1),
    "EventQuery": EventQuery(18, 0, 300, "signup", "key", 20),
    "StandingQuery": standing_messages.StandingQuery(19),
    "Voters": standing_messages.Voters(
        "quorum", (7, ("node-a", "node-b")), [(8, ("node-a",))], ("node-c",), 1
    ),
    "Standing": standing_messages.Standing(19, "member", 1_200),
    "WatchRules": standing_messages.WatchRules("49c28c89d766"),
    "RulesPush": standing_messages.RulesPush("49c28c89d766", bytes.fromhex("82 a1 76 01")),
    "RulesPush of rules that the app has": standing_messages.RulesPush("49c28c89d766"),
    "Error": messages.Error("secret", "the secrets differ"),
    "Gossip": messages.Gossip(
        0,
        12,
        "",
        "8a1fc0de",
        [
            (*MEMBERS[0], 1_795_000_000, 0, 1, "", 1_927_366_574_790_869_201),
            (*MEMBERS[1], 1_795_000_321, 1, 1, "node-c", 0),
        ],
        "49c28c89d766",
        ["owner eu-1a", "owner"],
        14,
    ),
    "Buckets": messages.Buckets(13, [("5/minute", [KEY], [DEBT])]),
    "Charged": messages.Charged(
        14, [(KEY, "5/minute", [36_000_000_000], [(SERIAL, 4, 1), (SERIAL, 5, 0)])]
    ),
    "Settled": messages.Settled(14, [("5/minute", KEY, 1, 24_000_000_000)]),
    "Resets": messages.Resets(17, [(SERIAL + 1, KEY, 600_000_000_000)]),
    "Resets of all keys that begin so": messages.Resets(
        20, [], [(SERIAL + 2, "login:", 600_000_000_000)]
    ),
    "Merged": messages.Merged(13),
    "Pull": messages.Pull(15, messages.Part.ALL),
    "Pulled": messages.Pulled(15),
    "Confirm": messages.Confirm("8a1fc0de"),
    "Confirmed": messages.Confirmed("8a1fc0de"),
    "Reserve": Reserve(23, 0, KEY, "20000/day", 5_000, 60_000, "job-7"),
    "Commit": Commit(24, 0, "r1.AAAA", 1_200),
    "Reserved": Reserved(24, "owner", "node-a", [1, 5_184_000_000_000], "r1.AAAA", 1_200, -3_800),
    "ReservationRows": ReservationRows(
        18,
        [
            (
                KEY,
                "i:job-7",
                "20000/day",
                (5_000, 5_000, 0, 0, 0),
                (59_000_000_000, SERIAL),
                [21_600_000_000_000],
            )
        ],
    ),
    "Borrow": Borrow(25, 0, 50_000, KEY, "20000/second", 1_000),
    "Lent": Lent(25, "owner", "node-a", 1_000, 100_000, SERIAL, 0, [250_000_000]),
    "Lent of an owner that lends nothing now": Lent(25, "nobody", "node-a", pause=10_000),
    "Returned": Returned(0, [(KEY, "20000/second", SERIAL, 17)]),
    "Stay": messages.Stay(16, messages.StayPromise.ASKED),
    "CacheGet": cache_messages.CacheGet(18, 0, "users", ["42"], 2_000_000),
    "CacheValues": cache_messages.CacheValues(
        18, [(0, cache_messages.CacheState.FILL, 0, 4_294_967_297, b"")]
    ),
    "CacheValues with a value": cache_messages.CacheValues(
        19, [(0, cache_messages.CacheState.HIT, 299_000_000, 0, b"\xa3Ada")]
    ),
    "CacheSet": cache_messages.CacheSet(
        20, 0, "users", "42", 4_294_967_297, 300_000_000, 0, b"\xa3Ada"
    ),
    "CacheDelete": cache_messages.CacheDelete(21, 0, "users", ["42"]),
    "CacheClear": cache_messages.CacheClear(22, 0, "users"),
    "CacheDone": cache_messages.CacheDone(22, 3, 1),
    "CacheRelease": cache_messages.CacheRelease(0, "users", "42", 4_294_967_297),
    "CacheForget": cache_messages.CacheForget("users", ["42"]),
    "CacheEntries": cache_messages.CacheEntries(
        23, [("users", "42", 299_000_000, 0, 0, True, b"\xa3Ada")]
    ),
    "SlotAsk": slot_messages.SlotAsk(SLOT, 0, "user:42", 4, 600_000, 1_000),
    "SlotAnswer": slot_messages.SlotAnswer(
        SLOT, slot_messages.SlotState.GRANTED, "node-a", "owner", 1
    ),
    "SlotsHeld": slot_messages.SlotsHeld(0, "", [(SLOT, "user:42", 540_000)], 1),
    "SlotsFreed": slot_messages.SlotsFreed(
        0, "", slot_messages.FreedBy.RELEASED, [(SLOT, "user:42")]
    ),
    "CachePart": cache_messages.CachePart(100_000, 65_536, b"\x00\x01\x02"),
}
"""By the same names, what each frame says."""
