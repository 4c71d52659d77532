"""Golden frames of what nodes say to each other."""

from __future__ import annotations

from sidegate.protocol.messages import (
    Buckets,
    Charged,
    Confirm,
    Confirmed,
    Gossip,
    Merged,
    Message,
    Part,
    Pull,
    Pulled,
    Resets,
    Settled,
    Stay,
    StayPromise,
)

NODES: dict[str, tuple[Message, str]] = {
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
    "Stay": (
        Stay(16, StayPromise.ASKED),
        """
00 00 00 04                                      # 4 bytes follow
93                                               # array of 3
18                                               #   kind: Stay
10                                               #   id: 16
00                                               #   promise: 0
""",
    ),
}
