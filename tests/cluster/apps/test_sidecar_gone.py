"""Sidecars that are killed or stopped under load over HTTP: the apps go on, and say how."""

import asyncio
import signal
from collections import Counter
from collections.abc import Generator
from functools import partial
from time import monotonic

import pytest

from sidegate.buckets.decision import Source
from tests.support.apps.clients import async_client, show, statuses
from tests.support.in_process.cluster import eventually
from tests.support.processes.apps_trio import FASTAPI, Trio, api_key_of
from tests.support.processes.load import Load, load
from tests.support.processes.services import GREENLETS, THREADS, App, Sidecar, running, until

BUDGET = 1.0  # seconds that a sidecar waits for an owner: enough for one that runs
PATIENCE = 60.0  # seconds


# --- the owner of a key is gone


@pytest.fixture(scope="module")
def processes() -> Generator[Trio]:
    trio = Trio(BUDGET)
    with trio.running():
        yield trio


@pytest.fixture
def trio(processes: Trio) -> Trio:
    """Return three sidecars that run, whatever the last test did to them."""
    processes.mend()
    return processes


def _all_are_limited(loads: list[Load]) -> bool:
    """Did each app have some requests decided by the owner, or by what it lent?"""
    return all(it.sources["owner"] + it.sources["lease"] > 20 for it in loads)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
async def test_the_owner_is_gone(trio: Trio, how: signal.Signals) -> None:
    """Without the owner of a key, its backup decides and says so; no request is lost.

    What the sidecars of the apps count is what the apps were told.
    """
    owner, others = trio.sidecars["a"], [trio.sidecars["b"], trio.sidecars["c"]]
    before = [_counted(other) for other in others]
    key = api_key_of("a", "plenty", f"{how.name}")
    async with load(key, trio.apps["b"], trio.apps["c"]) as loads:
        await eventually(lambda: _all_are_limited(loads), PATIENCE)
        owner.send(how)
        await eventually(lambda: all(it.sources["backup"] > 50 for it in loads), PATIENCE)
        for other in others:  # what it tells may be a second old
            await eventually(partial(_has_one_link, other), PATIENCE)
        back_at = await asyncio.to_thread(_bring_back, owner, how)
        await eventually(lambda: all(it.workers("owner", back_at) for it in loads), PATIENCE)
    _report(f"owner, {how.name}", loads, back_at)
    assert [set(it.statuses) for it in loads] == [{200}] * 2
    assert [set(it.sources) for it in loads] == [{"owner", "backup"}] * 2
    for other, then, seen in zip(others, before, loads, strict=True):
        await eventually(partial(_has_counted, other, then + seen.sources), PATIENCE)


def _counted(sidecar: Sidecar) -> Counter[str]:
    """Return how many checks of its app a sidecar has counted, by source as responses tell it."""
    told = {it: sidecar.metric("sidegate_checks_total", asker="app", source=it) for it in Source}
    counted = Counter({str(source): int(count) for source, count in told.items()})
    counted["owner"] += counted.pop("lease")  # of which a response says nothing
    return counted


def _has_counted(sidecar: Sidecar, expected: Counter[str]) -> bool:
    return _counted(sidecar) == expected


def _has_one_link(sidecar: Sidecar) -> bool:
    return sidecar.metric("sidegate_links", state="up") == 1


def _bring_back(sidecar: Sidecar, how: signal.Signals = signal.SIGKILL) -> float:
    """Have a sidecar listen again; return when it did."""
    if how is signal.SIGSTOP:
        sidecar.send(signal.SIGCONT)
    else:
        sidecar.kill()  # it is dead; this takes note of it
        sidecar.launch()
        until(sidecar.listens)
    return monotonic()


async def test_one_of_three_local_sidecars_is_killed(trio: Trio) -> None:
    """Its app goes on unlimited and the other apps limited; back again, it is one with the rest."""
    app, sidecar = trio.apps["b"], trio.sidecars["b"]
    spent = {"x-api-key": api_key_of("a", "api", "spent")}
    async with async_client(headers=spent) as client:
        answers = [await client.get(f"{trio.apps['a'].url}/api/it") for _ in range(8)]
        assert statuses(answers) == [200] * 7 + [429]
        async with load(api_key_of("a", "plenty", "local"), *trio.apps.values()) as loads:
            beside = loads[1]
            await eventually(lambda: _all_are_limited(loads), PATIENCE)
            sidecar.kill()
            gone_at = monotonic()
            await eventually(lambda: beside.sources["open"] > 50, PATIENCE)
            await eventually(lambda: loads[2].workers("owner", gone_at), PATIENCE)
            answer = await client.get(f"{app.url}/api/it")
            assert (answer.status_code, answer.headers["sidegate-source"]) == (200, "open")
            back_at = await asyncio.to_thread(_bring_back, sidecar)
            tries = [await client.get(f"{app.url}/api/it")]
            while tries[-1].status_code != 429:
                assert monotonic() < back_at + PATIENCE
                tries.append(await client.get(f"{app.url}/api/it"))
            limited_at = monotonic()
    _report("one of three", loads, back_at)
    by = [answer.headers.get("sidegate-source") for answer in tries[:-1]]
    show(f"one of three: refused after {limited_at - back_at:.3f} s and {len(by)} answers")
    assert set(by) <= {"open"}  # it never took itself for the owner
    assert [set(it.statuses) for it in loads] == [{200}] * 3
    assert [{*it.sources} - {"lease"} for it in loads[:2]] == [{"owner"}, {"owner", "open"}]


# --- an app's only sidecar is gone


FLASK = "tests.support.apps.flask_app:app"
WORKERS = {"fastapi": 1, "flask in threads": 2, "flask in greenlets": 2}
"""Worker processes of each app."""


@pytest.fixture(scope="module")
def apps(sidecar: Sidecar) -> Generator[list[App]]:
    apps = [
        App("fastapi", sidecar, *FASTAPI),
        App("flask in threads", sidecar, *THREADS, "--preload", FLASK),
        App("flask in greenlets", sidecar, *GREENLETS, FLASK),
    ]
    with running(*apps):
        yield apps


def _all_decided(loads: list[Load], source: str, since: float = 0.0) -> bool:
    """Did each worker of each app get a decision from this source?"""
    return all(len(it.workers(source, since)) == WORKERS[it.app.title] for it in loads)


async def test_the_only_sidecar_is_killed(sidecar: Sidecar, apps: list[App]) -> None:
    """Its apps let requests through at once, and each of their workers is limited by the next."""
    async with load("k", *apps) as loads:
        await eventually(lambda: _all_decided(loads, "owner"), PATIENCE)
        sidecar.kill()
        await eventually(lambda: _all_decided(loads, "open"), PATIENCE)
        await eventually(lambda: all(it.sources["open"] > 20 for it in loads), PATIENCE)
        back_at = await asyncio.to_thread(_bring_back, sidecar)
        # Since then: by what it had lent they were limited for a while after it was gone.
        await eventually(lambda: _all_decided(loads, "owner", back_at), PATIENCE)
    _report("alone", loads, back_at)
    assert [set(it.statuses) for it in loads] == [{200}] * 3
    assert [{*it.sources} - {"lease"} for it in loads] == [{"owner", "open"}] * 3
    async with async_client() as client:
        fields = {"x-api-key": "of all three"}
        answers = [await client.get(f"{app.url}/busy", headers=fields) for app in apps * 20]
    assert statuses(answers) == [200] * 40 + [429] * 20


def _report(name: str, loads: list[Load], back_at: float) -> None:
    """Print how long it took; nothing of it is asserted, for a machine may be busy."""
    for it in loads:
        back = {worker: round(at - back_at, 3) for worker, at in it.back.items()}
        slowest = [round(took, 3) for took in sorted(it.took)[-5:]]
        show(
            f"{name}: {it.app.title}: {dict(it.statuses)}, {dict(it.sources)}, slowest {slowest} s,"
            f" seconds until limited again by worker {back or 'none, never gone'}"
        )
