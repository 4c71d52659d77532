"""Child processes, and the ports they listen on."""

from typing import Final

from sidegate_sidecar.lab.processes import PORTS, Child, end_all, free_ports

PATIENCE: Final = 30.0  # seconds for what takes one


def test_free_ports_are_of_loopback_and_differ() -> None:
    """Below those that outgoing connections get."""
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert set(ports) <= set(PORTS)


def test_last_words_are_the_end_of_what_it_printed() -> None:
    """All of it once it has ended, from both streams."""
    child = Child("version", "sidegate_sidecar", "--version")
    assert child.wait(PATIENCE)
    assert child.exit_code == 0
    assert child.last_words.startswith("sidegate ")
    child.kill()


def test_all_are_gone_when_they_are_ended() -> None:
    """By SIGTERM, as whoever started them would end them."""
    children = [Child(name, "http.server", "--bind=127.0.0.1", "0") for name in ("one", "other")]
    end_all(children)
    assert all(child.exit_code is not None for child in children)
