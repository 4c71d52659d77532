"""Golden frames of the handshake, and what its proofs prove."""

from __future__ import annotations

from sidegate.protocol.messages import Hello, Message, Proof, Welcome

SECRET = b"correct horse battery staple"  # that the proofs below prove
APP = Hello(1, "app", "web-1", "", bytes(range(32)), "", "10.0.0.1:7171", "")
RING = "6a03600020d502ef"  # fingerprint of the ring seed 00 01 … 1f
NODE = Hello(1, "node", "node-a", "prod", bytes(range(32, 64)), "10.0.0.1:7171", "", RING)

HANDSHAKE: dict[str, tuple[Message, str]] = {
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
}
