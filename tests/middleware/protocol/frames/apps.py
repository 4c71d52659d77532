"""Golden frames of what else an app and its sidecar say to each other."""

from __future__ import annotations

from sidegate.protocol.messages import (
    Error,
    Forget,
    Holdings,
    Inspect,
    Message,
    Outcomes,
    Ping,
    Pong,
    Reset,
    Roster,
)

APPS: dict[str, tuple[Message, str]] = {
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
    "Forget": (
        Forget("login:10.0.0.1"),
        """
00 00 00 11                                      # 17 bytes follow
92                                               # array of 2
11                                               #   kind: Forget
ae 6c 6f 67 69 6e 3a 31 30 2e 30 2e 30 2e 31     #   key: "login:10.0.0.1"
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
