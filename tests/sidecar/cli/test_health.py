"""`sidegate health`: what a health check of a container learns, by the exit code."""

import asyncio

from sidegate.link.address import Address
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import config, eventually
from tests.support.in_process.commands import Ending, Run
from tests.support.in_process.http_client import no_sidecar, silent_seed


async def health(run: Run, http: Address | str) -> Ending:
    """Run the command against an address, in a thread of its own."""
    return await asyncio.to_thread(run, "health", "--http", str(http))


async def test_a_sidecar_is_healthy_once_it_has_joined(run: Run) -> None:
    """While it looks for the others it ends with 1 and says so; then with 0."""
    speak = asyncio.Event()
    async with silent_seed(speak) as seed, Process(config("n1", seeds=(seed,))) as node:
        await eventually(lambda: node.peers.strangers)
        early = await health(run, node.http)
        speak.set()
        await eventually(lambda: node.ready)
        late = await health(run, node.http)
        everywhere = await health(run, f"0.0.0.0:{node.http.port}")
    assert early.code == 1
    assert "is not ready: still joining" in early.complaint
    assert late == everywhere == Ending(0, "ready\n", "")


async def test_what_is_no_sidecar_is_not_healthy(run: Run) -> None:
    """Nobody there, a link, and another web server: 3, with a line that says which."""
    async with no_sidecar() as address, Process(config("n1")) as node:
        other = await health(run, address)
        link = await health(run, node.link)
    nobody = await health(run, address)
    assert (other.code, link.code, nobody.code) == (3, 3, 3)
    assert "is no sidegate sidecar (status 404)" in other.complaint
    for ending in (link, nobody):
        assert "no sidecar answers at http://127.0.0.1:" in ending.complaint
    hint = ". Is `sidegate serve` running there? Use --http\n"
    assert [ending.complaint.endswith(hint) for ending in (other, link, nobody)] == [0, 0, 1]
