"""The wire protocol: messages, handshake and seals, bytes in and out. Pure."""
