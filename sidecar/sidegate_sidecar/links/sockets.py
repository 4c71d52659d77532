"""Listening sockets: opened before anything else, so that a taken port stops nothing half-way."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidegate.link.address import Address

BACKLOG = 4_096  # connections that may wait to be accepted: all workers of a pod start at once
HTTP_BACKLOG = 256  # of strangers, accepted at 1,000 a second while checks come: nobody waits long


class ListenError(OSError):
    """The address that an option holds can't be listened on; `why` is the system's reason."""

    def __init__(self, option: str, value: str, error: OSError) -> None:
        super().__init__(error.errno, error.strerror or str(error))
        self.option = option
        self.value = value
        self.why = f"can't listen there: {self.strerror}"

    def __str__(self) -> str:
        return f"{self.option} {self.value!r}: {self.why}"


def listen(option: str, address: Address, backlog: int = BACKLOG) -> socket.socket:
    """Listen on a TCP address; port 0 takes a free one. ListenError says why not."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # With the protocol named, or asyncio leaves Nagle's delay on for what is accepted.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setblocking(False)
    try:
        listening.bind((address.host, address.port))
        listening.listen(backlog)
    except OSError as error:
        listening.close()
        raise ListenError(option, str(address), error) from None
    return listening


def listen_unix(option: str, path: str, mode: int) -> socket.socket:
    """Listen on a Unix socket; its mode says who may use it, and a stale one is replaced."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.setblocking(False)
    try:
        if _is_stale(path):
            Path(path).unlink()
        listening.bind(path)
        Path(path).chmod(mode)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise ListenError(option, path, error) from None
    return listening


def _is_stale(path: str) -> bool:
    """Is there a socket file behind which nobody listens?"""
    if not Path(path).is_socket():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
    return False


def remove_unix(path: str) -> None:
    """Remove the file of a Unix socket; an empty path, or one that is gone, is none."""
    if path:
        Path(path).unlink(missing_ok=True)
