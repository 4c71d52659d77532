"""Frames byte by byte: the contract for clients in other languages, also in internals/protocol.md.

A change here is a change of the protocol: it breaks every client and every rolling deploy that
mixes two releases. Add a version instead.
"""

from __future__ import annotations

from sidegate.protocol.messages import (
    Answers,
    Buckets,
    Charged,
    Checks,
    Confirm,
    Confirmed,
    Error,
    Forget,
    Gossip,
    Hello,
    Holdings,
    Inspect,
    Merged,
    Message,
    Outcomes,
    Part,
    Ping,
    Pong,
    Promise,
    Proof,
    Pull,
    Pulled,
    Reset,
    Resets,
    Roster,
    Settled,
    Stay,
    Welcome,
)

SECRET = b"correct horse battery staple"  # that the proofs below prove
APP = Hello(1, "app", "web-1", "", bytes(range(32)), "", "10.0.0.1:7171", "")
RING = "6a03600020d502ef"  # fingerprint of the ring seed 00 01 … 1f
NODE = Hello(1, "node", "node-a", "prod", bytes(range(32, 64)), "10.0.0.1:7171", "", RING)

SEALED: dict[str, str] = {
    "key of the dialling side": "a208f59c324288a9c0a5c8b0355dd64c49d6472d51a29b2fe7bad8a384463713",
    "key of the accepting side": "284bad4e56c5660a729f69ba6ca73d667332737e42661d1c3bfa48d0580d1beb",
    "tag of Checks": "91155dd23c73bc149f5630a85d5730ad",
    "tag of Ping": "76597a2b444ae0108ca04b13429488b3",
    "tag of Answers to all": "d596a3da94f40f67461734e22ac69850",
    "tag of Pong": "63495997546433e32c5bcca327915506",
}
"""What seals the frames behind the handshake of APP and NODE: the keys, and the tags of the first
two frames that each of them sends, if they are these."""


def frame_of(text: str) -> bytes:
    """Return the bytes of a text of hex digits, in which # starts a comment."""
    return bytes.fromhex("".join(line.partition("#")[0] for line in text.splitlines()))


GOLDEN: dict[str, tuple[Message, str]] = {
    "Hello of an app": (
        APP,
        """
00 00 00 40                                      # 64 bytes follow
99                                               # array of 9
00                                               #   kind: Hello
01                                               #   version: 1
a3 61 70 70                                      #   role: "app"
a5 77 65 62 2d 31                                #   name: "web-1"
a0                                               #   cluster: ""
c4 20 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d  #   nonce: 32 bytes
0e 0f 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d
1e 1f
a0                                               #   link: ""
ad 31 30 2e 30 2e 30 2e 31 3a 37 31 37 31        #   dialled: "10.0.0.1:7171"
a0                                               #   ring: ""
""",
    ),
    "Hello of a node": (
        NODE,
        """
00 00 00 56                                      # 86 bytes follow
99                                               # array of 9
00                                               #   kind: Hello
01                                               #   version: 1
a4 6e 6f 64 65                                   #   role: "node"
a6 6e 6f 64 65 2d 61                             #   name: "node-a"
a4 70 72 6f 64                                   #   cluster: "prod"
c4 20 20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d  #   nonce: 32 bytes
2e 2f 30 31 32 33 34 35 36 37 38 39 3a 3b 3c 3d
3e 3f
ad 31 30 2e 30 2e 30 2e 31 3a 37 31 37 31        #   link: "10.0.0.1:7171"
a0                                               #   dialled: ""
b0 36 61 30 33 36 30 30 30 32 30 64 35 30 32 65  #   ring: "6a03600020d502ef"
66
""",
    ),
    "Proof": (
        Proof(bytes.fromhex("306028b1e104d847a51f6baeff6db553c6649c41ed3959ebe982d092aa272c33")),
        """
00 00 00 24                                      # 36 bytes follow
92                                               # array of 2
01                                               #   kind: Proof
c4 20 30 60 28 b1 e1 04 d8 47 a5 1f 6b ae ff 6d  #   proof: 32 bytes
b5 53 c6 64 9c 41 ed 39 59 eb e9 82 d0 92 aa 27
2c 33
""",
    ),
    "Welcome": (
        Welcome(bytes.fromhex("8fd4dea6562d22bbf803f5e0cc034585714a04d80fff2f5de35606c7e4105e15")),
        """
00 00 00 24                                      # 36 bytes follow
92                                               # array of 2
02                                               #   kind: Welcome
c4 20 8f d4 de a6 56 2d 22 bb f8 03 f5 e0 cc 03  #   proof: 32 bytes
45 85 71 4a 04 d8 0f ff 2f 5d e3 56 06 c7 e4 10
5e 15
""",
    ),
    "Checks": (
        Checks(
            7,
            0,
            50_000,
            [("login:10.0.0.1", "5/minute", 1), ("api:k1", "100/second; 10000/hour", 2)],
        ),
        """
00 00 00 44                                      # 68 bytes follow
97                                               # array of 7
03                                               #   kind: Checks
07                                               #   id: 7
00                                               #   hops: 0
cd c3 50                                         #   budget: 50,000
92                                               #   checks: array of 2
93                                               #     array of 3
ae 6c 6f 67 69 6e 3a 31 30 2e 30 2e 30 2e 31     #       "login:10.0.0.1"
a8 35 2f 6d 69 6e 75 74 65                       #       "5/minute"
01                                               #       1
93                                               #     array of 3
a6 61 70 69 3a 6b 31                             #       "api:k1"
b6 31 30 30 2f 73 65 63 6f 6e 64 3b 20 31 30 30  #       "100/second; 10000/hour"
30 30 2f 68 6f 75 72
02                                               #       2
00                                               #   serial: 0
c0                                               #   places: nil
""",
    ),
    "Checks that go to another node": (
        Checks(3, 1, 16_000, [("login:10.0.0.1", "5/minute", 1)], 1_311_768_467_294_899_695, [4]),
        """
00 00 00 2d                                      # 45 bytes follow
97                                               # array of 7
03                                               #   kind: Checks
03                                               #   id: 3
01                                               #   hops: 1
cd 3e 80                                         #   budget: 16,000
91                                               #   checks: array of 1
93                                               #     array of 3
ae 6c 6f 67 69 6e 3a 31 30 2e 30 2e 30 2e 31     #       "login:10.0.0.1"
a8 35 2f 6d 69 6e 75 74 65                       #       "5/minute"
01                                               #       1
cf 12 34 56 78 90 ab cd ef                       #   serial: 1,311,768,467,294,899,695
91                                               #   places: array of 1
04                                               #     4
""",
    ),
    "Answers to all": (
        Answers(
            7, "owner", "node-a", None, [[1, 12_000_000_000], [0, 990_000_000, 35_640_000_000]]
        ),
        """
00 00 00 2e                                      # 46 bytes follow
97                                               # array of 7
04                                               #   kind: Answers
07                                               #   id: 7
a5 6f 77 6e 65 72                                #   source: "owner"
a6 6e 6f 64 65 2d 61                             #   node: "node-a"
c0                                               #   positions: nil
92                                               #   answers: array of 2
92                                               #     array of 2
01                                               #       1
cf 00 00 00 02 cb 41 78 00                       #       12,000,000,000
93                                               #     array of 3
00                                               #       0
ce 3b 02 33 80                                   #       990,000,000
cf 00 00 00 08 4c 4f 3e 00                       #       35,640,000,000
01                                               #   parts: 1
""",
    ),
    "Answers to some": (
        Answers(7, "local", "node-a", [1], [[1, 60_000_000, 2_160_000_000]], 3),
        """
00 00 00 20                                      # 32 bytes follow
97                                               # array of 7
04                                               #   kind: Answers
07                                               #   id: 7
a5 6c 6f 63 61 6c                                #   source: "local"
a6 6e 6f 64 65 2d 61                             #   node: "node-a"
91                                               #   positions: array of 1
01                                               #     1
91                                               #   answers: array of 1
93                                               #     array of 3
01                                               #       1
ce 03 93 87 00                                   #       60,000,000
ce 80 be fc 00                                   #       2,160,000,000
03                                               #   parts: 3
""",
    ),
    "Answers by policy": (
        Answers(7, "open", "node-b", [0], [[1]]),
        """
00 00 00 15                                      # 21 bytes follow
97                                               # array of 7
04                                               #   kind: Answers
07                                               #   id: 7
a4 6f 70 65 6e                                   #   source: "open"
a6 6e 6f 64 65 2d 62                             #   node: "node-b"
91                                               #   positions: array of 1
00                                               #     0
91                                               #   answers: array of 1
91                                               #     array of 1
01                                               #       1
01                                               #   parts: 1
""",
    ),
    "Answers with a reason": (
        Answers(8, "owner", "node-a", None, ["cost 6: expected 0 to 5"]),
        """
00 00 00 2b                                      # 43 bytes follow
97                                               # array of 7
04                                               #   kind: Answers
08                                               #   id: 8
a5 6f 77 6e 65 72                                #   source: "owner"
a6 6e 6f 64 65 2d 61                             #   node: "node-a"
c0                                               #   positions: nil
91                                               #   answers: array of 1
b7 63 6f 73 74 20 36 3a 20 65 78 70 65 63 74 65  #     "cost 6: expected 0 to 5"
64 20 30 20 74 6f 20 35
01                                               #   parts: 1
""",
    ),
    "Ping": (
        Ping(9),
        """
00 00 00 03                                      # 3 bytes follow
92                                               # array of 2
05                                               #   kind: Ping
09                                               #   id: 9
""",
    ),
    "Pong": (
        Pong(9),
        """
00 00 00 03                                      # 3 bytes follow
92                                               # array of 2
06                                               #   kind: Pong
09                                               #   id: 9
""",
    ),
    "Roster": (
        Roster("8a1fc0de", [("node-a", "10.0.0.1:7171"), ("node-b", "10.0.0.2:7171")]),
        """
00 00 00 39                                      # 57 bytes follow
94                                               # array of 4
07                                               #   kind: Roster
a8 38 61 31 66 63 30 64 65                       #   digest: "8a1fc0de"
92                                               #   members: array of 2
92                                               #     array of 2
a6 6e 6f 64 65 2d 61                             #       "node-a"
ad 31 30 2e 30 2e 30 2e 31 3a 37 31 37 31        #       "10.0.0.1:7171"
92                                               #     array of 2
a6 6e 6f 64 65 2d 62                             #       "node-b"
ad 31 30 2e 30 2e 30 2e 32 3a 37 31 37 31        #       "10.0.0.2:7171"
00                                               #   leaving: 0
""",
    ),
    "Roster of a node that is leaving": (
        Roster("8a1fc0de", [("node-a", "10.0.0.1:7171")], 1),
        """
00 00 00 23                                      # 35 bytes follow
94                                               # array of 4
07                                               #   kind: Roster
a8 38 61 31 66 63 30 64 65                       #   digest: "8a1fc0de"
91                                               #   members: array of 1
92                                               #     array of 2
a6 6e 6f 64 65 2d 61                             #       "node-a"
ad 31 30 2e 30 2e 30 2e 31 3a 37 31 37 31        #       "10.0.0.1:7171"
01                                               #   leaving: 1
""",
    ),
    "Inspect": (
        Inspect(10, 0, "login:10.0.0.1"),
        """
00 00 00 13                                      # 19 bytes follow
94                                               # array of 4
08                                               #   kind: Inspect
0a                                               #   id: 10
00                                               #   hops: 0
ae 6c 6f 67 69 6e 3a 31 30 2e 30 2e 30 2e 31     #   key: "login:10.0.0.1"
""",
    ),
    "Reset": (
        Reset(11, 0, "login:10.0.0.1"),
        """
00 00 00 13                                      # 19 bytes follow
94                                               # array of 4
09                                               #   kind: Reset
0b                                               #   id: 11
00                                               #   hops: 0
ae 6c 6f 67 69 6e 3a 31 30 2e 30 2e 30 2e 31     #   key: "login:10.0.0.1"
""",
    ),
    "Holdings": (
        Holdings(10, "owner", "node-a", [("5/minute", 12_000_000_000)]),
        """
00 00 00 24                                      # 36 bytes follow
95                                               # array of 5
0a                                               #   kind: Holdings
0a                                               #   id: 10
a5 6f 77 6e 65 72                                #   source: "owner"
a6 6e 6f 64 65 2d 61                             #   node: "node-a"
91                                               #   buckets: array of 1
92                                               #     array of 2
a8 35 2f 6d 69 6e 75 74 65                       #       "5/minute"
cf 00 00 00 02 cb 41 78 00                       #       12,000,000,000
""",
    ),
    "Gossip": (
        Gossip(
            0,
            12,
            "",
            "8a1fc0de",
            [
                ("node-a", "10.0.0.1:7171", 1_795_000_000, 0, 1, "", 1_927_366_574_790_869_201),
                ("node-b", "10.0.0.2:7171", 1_795_000_321, 1, 1, "node-c", 0),
            ],
        ),
        """
00 00 00 5b                                      # 91 bytes follow
96                                               # array of 6
0b                                               #   kind: Gossip
00                                               #   kind of gossip: 0
0c                                               #   id: 12
a0                                               #   about: ""
a8 38 61 31 66 63 30 64 65                       #   digest: "8a1fc0de"
92                                               #   rumors: array of 2
97                                               #     array of 7
a6 6e 6f 64 65 2d 61                             #       "node-a"
ad 31 30 2e 30 2e 30 2e 31 3a 37 31 37 31        #       "10.0.0.1:7171"
ce 6a fd 86 c0                                   #       1,795,000,000
00                                               #       0
01                                               #       1
a0                                               #       ""
cf 1a bf 61 b0 2a 5f 00 d1                       #       1,927,366,574,790,869,201
97                                               #     array of 7
a6 6e 6f 64 65 2d 62                             #       "node-b"
ad 31 30 2e 30 2e 30 2e 32 3a 37 31 37 31        #       "10.0.0.2:7171"
ce 6a fd 88 01                                   #       1,795,000,321
01                                               #       1
01                                               #       1
a6 6e 6f 64 65 2d 63                             #       "node-c"
00                                               #       0
""",
    ),
    "Buckets": (
        Buckets(13, [("5/minute", ["login:10.0.0.1"], [12_000_000_000])]),
        """
00 00 00 28                                      # 40 bytes follow
93                                               # array of 3
0c                                               #   kind: Buckets
0d                                               #   id: 13
91                                               #   groups: array of 1
93                                               #     array of 3
a8 35 2f 6d 69 6e 75 74 65                       #       "5/minute"
91                                               #       array of 1
ae 6c 6f 67 69 6e 3a 31 30 2e 30 2e 30 2e 31     #         "login:10.0.0.1"
91                                               #       array of 1
cf 00 00 00 02 cb 41 78 00                       #         12,000,000,000
""",
    ),
    "Charged": (
        Charged(
            14,
            [
                (
                    "login:10.0.0.1",
                    "5/minute",
                    [36_000_000_000],
                    [(1_311_768_467_294_899_695, 4, 1), (1_311_768_467_294_899_695, 5, 0)],
                )
            ],
        ),
        """
00 00 00 40                                      # 64 bytes follow
93                                               # array of 3
14                                               #   kind: Charged
0e                                               #   id: 14
91                                               #   rows: array of 1
94                                               #     array of 4
ae 6c 6f 67 69 6e 3a 31 30 2e 30 2e 30 2e 31     #       "login:10.0.0.1"
a8 35 2f 6d 69 6e 75 74 65                       #       "5/minute"
91                                               #       array of 1
cf 00 00 00 08 61 c4 68 00                       #         36,000,000,000
92                                               #       array of 2
93                                               #         array of 3
cf 12 34 56 78 90 ab cd ef                       #           1,311,768,467,294,899,695
04                                               #           4
01                                               #           1
93                                               #         array of 3
cf 12 34 56 78 90 ab cd ef                       #           1,311,768,467,294,899,695
05                                               #           5
00                                               #           0
""",
    ),
    "Settled": (
        Settled(14, [("5/minute", "login:10.0.0.1", 1, 24_000_000_000)]),
        """
00 00 00 27                                      # 39 bytes follow
93                                               # array of 3
15                                               #   kind: Settled
0e                                               #   id: 14
91                                               #   rows: array of 1
94                                               #     array of 4
a8 35 2f 6d 69 6e 75 74 65                       #       "5/minute"
ae 6c 6f 67 69 6e 3a 31 30 2e 30 2e 30 2e 31     #       "login:10.0.0.1"
01                                               #       1
cf 00 00 00 05 96 82 f0 00                       #       24,000,000,000
""",
    ),
    "Resets": (
        Resets(17, [(1_311_768_467_294_899_696, "login:10.0.0.1", 600_000_000_000)]),
        """
00 00 00 26                                      # 38 bytes follow
93                                               # array of 3
1a                                               #   kind: Resets
11                                               #   id: 17
91                                               #   resets: array of 1
93                                               #     array of 3
cf 12 34 56 78 90 ab cd f0                       #       1,311,768,467,294,899,696
ae 6c 6f 67 69 6e 3a 31 30 2e 30 2e 30 2e 31     #       "login:10.0.0.1"
cf 00 00 00 8b b2 c9 70 00                       #       600,000,000,000
""",
    ),
    "Merged": (
        Merged(13),
        """
00 00 00 03                                      # 3 bytes follow
92                                               # array of 2
0d                                               #   kind: Merged
0d                                               #   id: 13
""",
    ),
    "Pull": (
        Pull(15, Part.ALL),
        """
00 00 00 04                                      # 4 bytes follow
93                                               # array of 3
0e                                               #   kind: Pull
0f                                               #   id: 15
02                                               #   part: 2
""",
    ),
    "Pulled": (
        Pulled(15),
        """
00 00 00 03                                      # 3 bytes follow
92                                               # array of 2
10                                               #   kind: Pulled
0f                                               #   id: 15
""",
    ),
    "Confirm": (
        Confirm("8a1fc0de"),
        """
00 00 00 0c                                      # 12 bytes follow
93                                               # array of 3
16                                               #   kind: Confirm
a8 38 61 31 66 63 30 64 65                       #   ring: "8a1fc0de"
00                                               #   new: 0
""",
    ),
    "Confirmed": (
        Confirmed("8a1fc0de"),
        """
00 00 00 0c                                      # 12 bytes follow
93                                               # array of 3
17                                               #   kind: Confirmed
a8 38 61 31 66 63 30 64 65                       #   ring: "8a1fc0de"
00                                               #   lacks: 0
""",
    ),
    "Forget": (
        Forget("login:10.0.0.1"),
        """
00 00 00 11                                      # 17 bytes follow
92                                               # array of 2
11                                               #   kind: Forget
ae 6c 6f 67 69 6e 3a 31 30 2e 30 2e 30 2e 31     #   key: "login:10.0.0.1"
""",
    ),
    "Stay": (
        Stay(16, Promise.ASKED),
        """
00 00 00 04                                      # 4 bytes follow
93                                               # array of 3
18                                               #   kind: Stay
10                                               #   id: 16
00                                               #   promise: 0
""",
    ),
    "Outcomes": (
        Outcomes([("open", 3)]),
        """
00 00 00 0a                                      # 10 bytes follow
92                                               # array of 2
12                                               #   kind: Outcomes
91                                               #   array of 1
92                                               #     array of 2
a4 6f 70 65 6e                                   #       outcome: "open"
03                                               #       count: 3
""",
    ),
    "Error": (
        Error("secret", "the secrets differ"),
        """
00 00 00 1c                                      # 28 bytes follow
93                                               # array of 3
0f                                               #   kind: Error
a6 73 65 63 72 65 74                             #   code: "secret"
b2 74 68 65 20 73 65 63 72 65 74 73 20 64 69 66  #   text: "the secrets differ"
66 65 72
""",
    ),
}
