"""ioredis and node-redis, where Node finds them: `npm install ioredis redis`, and NODE_PATH."""

import asyncio
import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from tests.sidecar.fronts.resp.speaking import SECRET, hearing, port_of
from tests.support.optional import missing

NODE = shutil.which("node") or ""
ASKS = {
    "ioredis": """
        const client = new (require("ioredis"))(port, {password});
        const ask = (...words) => client.call(...words);
    """,
    "redis": """
        const client = require("redis").createClient({socket: {port}, password});
        await client.connect();
        const ask = (...words) => client.sendCommand(words);
    """,
}
PROGRAM = """
const [port, password] = [Number(process.argv[1]), process.argv[2]];
(async () => {
    %s
    const one = () => ask("CL.THROTTLE", "k", "4", "1", "3600");
    const first = await ask("THROTTLE", "other", "5", "1", "60");
    const said = await Promise.all(Array.from({length: 300}, one));
    const wrong = await ask("CL.THROTTLE", "k", "1", "0", "60").catch((error) => error.message);
    console.log(JSON.stringify([first, said.map((it) => it[0]), wrong, await ask("DEL", "k")]));
    await client.quit();
})();
"""


def require(package: str) -> None:
    """Skip the test unless Node finds a package; fail in CI that says where it has put it."""
    if NODE:
        done = subprocess.run(
            [NODE, "-e", f"require('{package}')"], capture_output=True, check=False
        )
        if done.returncode == 0:
            return
    why = f"Node doesn't find {package}: npm install ioredis redis, and set NODE_PATH"
    if os.environ.get("NODE_PATH"):
        missing(why)
    pytest.skip(why)


@pytest.mark.parametrize("package", ASKS)
async def test_it_connects_and_asks(package: str) -> None:
    """With the secret, many at once, in order; an error is an error."""
    require(package)
    async with hearing(secret=SECRET) as node:
        first, limited, wrong, deleted = await said(package, port_of(node))
    assert first == [1, 5, 4, 60, 0]
    assert limited == [0] * 5 + [1] * 295
    assert 'count "0": expected a whole number from 1' in wrong
    assert deleted == 1


async def said(package: str, port: int) -> list[Any]:
    """Return what a program has printed that asks by a package."""
    program = PROGRAM % ASKS[package]
    process = await asyncio.create_subprocess_exec(
        *(NODE, "-e", program, str(port), SECRET.decode()),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    found: list[Any] = json.loads(out)
    return found
