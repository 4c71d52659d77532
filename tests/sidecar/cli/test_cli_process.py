"""The command as a process of its own: how it starts, logs, and ends."""

import asyncio
import logging
import re
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from sidegate_sidecar.telemetry.logs import LineFormatter
from tests.support.in_process.cluster import GENEROUS, client, cluster
from tests.support.processes.commands import FREE, Serving, finish, serving, sidegate, start

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error) \S+: .+\n")


async def eventually_ready(sidecar: Serving) -> None:
    """Wait until a sidecar says that it is ready."""
    async with asyncio.timeout(3 * GENEROUS):
        while (await sidegate("health", SIDEGATE_HTTP=sidecar.address("http")))[0]:
            pass


@asynccontextmanager
async def one_in_debt(*options: str) -> AsyncGenerator[Serving]:
    """Serve as a node that may have others, with one bucket that somebody should take."""
    async with serving("--name", "n1", "--seed", "127.0.0.1:1", *options) as sidecar:
        await eventually_ready(sidecar)
        asked = await sidegate("check", "k", "1/hour", SIDEGATE_HTTP=sidecar.address("http"))
        assert asked[0] == 0
        yield sidecar


async def ended(sidecar: Serving, by: signal.Signals = signal.SIGTERM) -> tuple[int | None, str]:
    """Send a signal, and return the exit code and the log, once nothing but that was said."""
    sidecar.process.send_signal(by)
    code, out, log = await finish(sidecar.process)
    assert out == ""
    return code, log


async def test_serve_serves_until_told_to_stop(tmp_path: Path) -> None:
    """It answers apps and commands, ends with 0 at a signal, and leaves no socket behind."""
    path = tmp_path / "sidegate.sock"
    async with serving("--name", "n1", "--socket", str(path)) as sidecar:
        async with client(f"unix:{path}") as app:
            assert (await app.check("k", "1/hour")).source == "owner"
        denied = await sidegate("check", "k", "1/hour", SIDEGATE_HTTP=sidecar.address("http"))
        code, log = await ended(sidecar)
    assert (denied[0], code) == (1, 0)
    assert not path.exists()
    lines = (sidecar.line + log).splitlines(keepends=True)
    assert all(LINE.fullmatch(line) for line in lines), lines
    assert "node n1: stopping" in lines[-2]
    still = r"still on the ring after \d\.\d\d s, with 1 buckets: there is no other node to take"
    assert re.search(f"node n1: {still}", lines[-1])


async def test_what_nobody_took_is_an_exit_code() -> None:
    """A node that may have others waits for one, and says at its end what is lost."""
    async with one_in_debt("--drain", "1") as sidecar:
        code, log = await ended(sidecar)
    assert code == 4
    assert "node n1: is the last one, and waits for another node to take its buckets" in log
    assert "with 1 buckets: no other node came in time to take its buckets" in log
    assert "error sidegate: node n1: ended, and nobody took its 1 buckets" in log


async def test_what_is_saved_is_not_waited_for(tmp_path: Path) -> None:
    """A node with a state file ends at once, and with 0, though nobody takes its buckets."""
    async with one_in_debt("--drain", "3600", "--state-file", f"{tmp_path}/state") as sidecar:
        code, log = await ended(sidecar)
    assert code == 0
    assert "node n1: 1 buckets saved" in log
    assert "warning sidegate: node" not in log


async def test_what_cannot_be_saved_at_the_end_is_an_exit_code(tmp_path: Path) -> None:
    """Whoever watches the process hears that its file is an old one."""
    folder = tmp_path / "volume"
    folder.mkdir()
    async with serving("--name", "n1", "--state-file", f"{folder}/state") as sidecar:
        await eventually_ready(sidecar)
        folder.rename(tmp_path / "gone")
        code, log = await ended(sidecar)
    assert code == 5
    assert "error sidegate: node n1: its last buckets could not be saved" in log


async def test_a_second_signal_ends_the_wait_for_another_node() -> None:
    """Who doesn't want to wait loses the buckets as well, and is told so."""
    async with one_in_debt("--drain", "3600") as sidecar:
        sidecar.process.send_signal(signal.SIGTERM)
        assert sidecar.process.stderr is not None
        async with asyncio.timeout(3 * GENEROUS):
            while b"waits for another node" not in await sidecar.process.stderr.readline():
                pass
        code, log = await ended(sidecar)
    assert code == 4
    assert "ended at once" in log


async def test_ctrl_c_is_no_accident() -> None:
    """SIGINT ends it as SIGTERM does, without a traceback."""
    async with serving() as sidecar:
        code, log = await ended(sidecar, signal.SIGINT)
    assert code == 0
    assert log.count("\n") == 2  # that it stops, and that it has left


async def test_a_taken_port_is_said_in_a_line() -> None:
    """Where someone else listens already: 1, and a line that names the option."""
    async with cluster("n1") as (other,):
        code, out, err = await sidegate("serve", *FREE, "--link", str(other.link))
    assert (code, out) == (1, "")
    words = f"'{other.link}': can't listen there: Address already in use"
    assert err == f"sidegate: --link (or SIDEGATE_LINK) {words}\n"


async def test_without_the_server_it_says_what_to_install() -> None:
    """Where only the part for apps is installed, the command says so in a line, and ends with 2."""
    for module in ("typer", "fastapi"):
        program = f"import sys; sys.modules[{module!r}] = None; sys.argv = ['sidegate', 'serve']"
        main = "from sidegate_sidecar.__main__ import main; main()"
        code, out, err = await finish(await start("-c", f"{program}; {main}"))
        assert (code, out) == (2, "")
        assert err == (
            f"sidegate's server is not installed (missing: {module}): pip install '.[sidecar]'"
            " in a checkout of sidegate, or pip install 'FILE.whl[sidecar]' from its wheel\n"
        )


async def test_a_fault_of_ours_is_not_taken_for_a_missing_server() -> None:
    """A module of ours that is gone is a bug, and shows as one."""
    program = "import sys; sys.modules['sidegate_sidecar.config'] = None"
    main = "from sidegate_sidecar.__main__ import main; main()"
    code, _, err = await finish(await start("-c", f"{program}; {main}"))
    assert code == 1
    assert "ModuleNotFoundError" in err


async def test_the_command_is_light() -> None:
    """To say what it can do, it needs neither the server nor the HTTP client."""
    program = "import sys; import sidegate_sidecar.cli.commands; print(*sys.modules)"
    code, out, _ = await finish(await start("-c", program))
    assert code == 0
    heavy = {"fastapi", "uvicorn", "uvloop", "httpx2", "prometheus_client", "rich.table", "mmh3"}
    assert not heavy & set(out.split())


def test_a_log_line_is_one_line() -> None:
    """What doesn't print is escaped: a node's name can't forge a line of the log."""
    record = logging.makeLogRecord(
        {
            "name": "sidegate",
            "levelname": "WARNING",
            "msg": "met node %s",
            "args": ("n1\n2026 error sidegate: \x1b[31mgone",),
            "created": 1_795_000_000.25,
            "msecs": 250.0,
        }
    )
    said = LineFormatter().format(record)
    assert said == (
        "2026-11-18T11:06:40.250Z warning sidegate:"
        r" met node n1\n2026 error sidegate: \x1b[31mgone"
    )
