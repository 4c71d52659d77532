"""A crowd at the door of an app: many requests over as many connections, sent at once."""

import asyncio
from collections import Counter

PATIENCE = 60.0  # seconds, for a burst to be answered on a busy machine


async def crowd(port: int, key: str, at_once: int) -> Counter[tuple[int, str]]:
    """Return how often each status came, and who decided if it wasn't the sidecar.

    Each connection sends its request as soon as it is there: gunicorn's gthread worker lets those
    wait for seconds that are silent at first, with or without a limiter.
    """
    request = f"GET / HTTP/1.1\r\nHost: h\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n"
    async with asyncio.timeout(PATIENCE):
        asking = (_ask(port, request.encode()) for _ in range(at_once))
        return Counter(await asyncio.gather(*asking))


async def _ask(port: int, request: bytes) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        answer = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    status, *fields = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    source = [it.partition(": ")[2] for it in fields if it.lower().startswith("sidegate-source:")]
    return int(status.split()[1]), "".join(source)
