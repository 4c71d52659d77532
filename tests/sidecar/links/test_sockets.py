"""Listening: a taken address is named, and leaves nothing behind."""

import socket
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from sidegate.link.address import Address
from sidegate_sidecar.links.sockets import ListenError, listen
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import cluster, config


@pytest.fixture
def taken() -> Generator[Address]:
    """Return an address on which someone listens already."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield replace(config("x").link, port=other.getsockname()[1])


@pytest.mark.parametrize("option", ["link", "http"])
async def test_a_taken_port_is_named(option: str, taken: Address) -> None:
    """The error has the option and the address, and the socket opened before is closed again."""
    with pytest.raises(ListenError, match="can't listen there: Address already in use") as caught:
        Process(config("n1", **{option: taken}))
    assert (caught.value.option, caught.value.value) == (option, str(taken))


async def test_a_unix_socket_of_another_process_is_left_alone(tmp_path: Path) -> None:
    """A socket behind which someone listens isn't taken over, nor removed on the way out."""
    path = tmp_path / "sidegate.sock"
    async with cluster("n1", socket=str(path)):
        late = Process(config("n2", socket=str(path)))
        with pytest.raises(ListenError, match="Address already in use"):
            async with late:
                pass
        assert path.is_socket()
    for address in (late.link, late.http):
        listen("link", address).close()  # what was opened before is free again
    assert not path.exists()


async def test_a_stale_unix_socket_is_replaced(tmp_path: Path) -> None:
    """The file that a killed sidecar left behind is no obstacle; the group may use the new one."""
    path = tmp_path / "sidegate.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    async with cluster("n1", socket=str(path)):
        assert path.stat().st_mode & 0o777 == 0o660


async def test_the_mode_of_a_unix_socket_says_who_may_use_it(tmp_path: Path) -> None:
    """An app in a container of its own is another user."""
    path = tmp_path / "sidegate.sock"
    async with cluster("n1", socket=str(path), socket_mode=0o666):
        assert path.stat().st_mode & 0o777 == 0o666


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    """A path by mistake costs nobody a file."""
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ListenError, match="Address already in use"):
        async with Process(config("n1", socket=str(path))):
            pass
    assert path.read_text() == "data"
