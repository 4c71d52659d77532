"""Who reserves nothing doesn't import what reserves."""

from tests.support.processes.commands import finish, start

_PROGRAM = """
import asyncio, sys
from sidegate import BlockingClient, Client

BlockingClient("memory").check("k", "5/day")
asyncio.run(Client("memory").acquire("k", "5/day"))
before = set(sys.modules)
with BlockingClient("memory").reserve("k", "5/day", 1):
    pass
print(*sorted(name for name in before if name.startswith("sidegate.reservations")))
print(*sorted(name for name in before if "reserving" in name or "wanted_hold" in name))
print("sidegate.reservations.local_reservations" in sys.modules)
"""


async def test_reservations_are_imported_when_one_is_made() -> None:
    code, out, err = await finish(await start("-c", _PROGRAM))
    assert code == 0, err
    assert out == "\n\nTrue\n"
