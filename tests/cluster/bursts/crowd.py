"""A crowd at the door of an app: many requests over as many connections, sent at once."""

from __future__ import annotations

import asyncio
from collections import Counter

PATIENCE = 60.0  # seconds, for a burst to be answered on a busy machine


async def crowd(port: int, key: str, at_once: int) -> Counter[tuple[int, str]]:
    """Return how often each status came, and who decided if it wasn't the sidecar."""
    async with asyncio.timeout(PATIENCE):
        connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(at_once)]
        request = f"GET / HTTP/1.1\r\nHost: h\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n"
        for _, writer in connections:
            writer.write(request.encode())
        answers = await asyncio.gather(*(reader.read() for reader, _ in connections))
        for _, writer in connections:
            writer.close()
            await writer.wait_closed()
    return Counter(_read(answer) for answer in answers)


def _read(answer: bytes) -> tuple[int, str]:
    status, *fields = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    source = [it.partition(": ")[2] for it in fields if it.lower().startswith("sidegate-source:")]
    return int(status.split()[1]), "".join(source)
