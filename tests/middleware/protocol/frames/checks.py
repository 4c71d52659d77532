"""Golden frames of checks and their answers."""

from __future__ import annotations

from sidegate.protocol.messages import Answers, Checks, Message

CHECKS: dict[str, tuple[Message, str]] = {
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
}
