"""Rules in force: a new version of the file is taken over whole, a wrong one changes nothing."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import sidegate_sidecar.in_force
from sidegate_sidecar.rules_file.rules_file import UnusableFile
from sidegate_sidecar.rules_file.rules_in_force import RulesInForce

Log = pytest.LogCaptureFixture


def rules(limits: str) -> str:
    return f"version: 1\nrules:\n- name: api\n  limits: {limits}\n"


def limits_of(in_force: RulesInForce) -> list[str]:
    return [it.rule.limits.text for it in in_force.value.rules]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidegate_sidecar.in_force, "SETTLED_AFTER", 0.001)
    monkeypatch.setattr(sidegate_sidecar.in_force, "LOOK_EVERY", 0.001)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "rules.yaml"
    file.write_text(rules("5/minute"))
    return file


def replace(file: Path, text: str) -> None:
    """Put another file in its place, as an editor or a deploy does."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.rename(file)


def overwrite(file: Path, text: str) -> None:
    file.write_text(text)


def turn_link(file: Path, text: str) -> None:
    """Do as a kubelet: the file is a link by way of another one, which is turned."""
    data = file.parent / "..data"
    folder = file.parent / f"..{len(list(file.parent.iterdir()))}"
    folder.mkdir()
    (folder / file.name).write_text(text)
    link = file.parent / "..new"
    link.symlink_to(folder.name)
    link.rename(data)
    if not file.is_symlink():
        file.unlink()
        file.symlink_to(f"..data/{file.name}")


@pytest.mark.parametrize("change", [replace, overwrite, turn_link])
async def test_a_change_is_in_force_after_a_look(
    file: Path, change: Callable[[Path, str], None]
) -> None:
    in_force = RulesInForce(str(file))
    before = in_force.digest
    for text in ("50/minute", "500/minute"):
        change(file, rules(text))
        await in_force.look()
        assert limits_of(in_force) == [text]
    assert in_force.changes == 2
    assert in_force.digest != before


async def test_what_is_wrong_changes_nothing_and_is_said_once(file: Path, caplog: Log) -> None:
    in_force = RulesInForce(str(file))
    replace(file, rules("5/lightyear"))
    for _ in range(3):
        await in_force.look()
    assert limits_of(in_force) == ["5/minute"]
    assert in_force.fault.startswith(f"{file}:4: rules[0].limits: ")
    (line,) = [it.getMessage() for it in caplog.records if it.levelname == "ERROR"]
    assert "5/lightyear" in line
    replace(file, rules("6/minute"))
    await in_force.look()
    assert (limits_of(in_force), in_force.fault, in_force.changes) == (["6/minute"], "", 1)


async def test_a_file_that_is_gone_leaves_its_rules_in_force(file: Path) -> None:
    in_force = RulesInForce(str(file))
    away = file.with_suffix(".away")
    os.rename(file, away)  # noqa: PTH104 - pathlib's blocks
    await in_force.look()
    why = f"{file}: No such file or directory"
    assert (limits_of(in_force), in_force.fault) == (["5/minute"], why)
    os.rename(away, file)  # noqa: PTH104 - as above
    await in_force.look()
    assert (in_force.fault, in_force.changes) == ("", 0)


async def test_another_spelling_is_no_change(file: Path, caplog: Log) -> None:
    in_force = RulesInForce(str(file))
    replace(file, "# said otherwise\n" + rules("5 per 60 seconds"))
    caplog.clear()
    await in_force.look()
    assert (in_force.changes, caplog.records) == (0, [])


async def test_half_a_file_is_not_taken_for_one_with_fewer_rules(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who writes a file bit by bit leaves one that is right, and says less, until he is done."""
    whole = rules("5/minute") + "- name: other\n  limits: 6/minute\n  match: {path: /other}\n"
    text = whole.replace("limits: 5/minute", "limits: 7/minute\n  match: {path: /api}")
    overwrite(file, text)
    in_force = RulesInForce(str(file))
    seen: list[int] = []
    sleep = asyncio.sleep

    async def write_on(_: float) -> None:
        seen.append(len(in_force.value.rules))
        if len(seen) == 1:
            overwrite(file, text.replace("7", "8"))
        await sleep(0)

    overwrite(file, text[: text.index("- name: other")])
    monkeypatch.setattr(asyncio, "sleep", write_on)
    await in_force.look()
    assert seen == [2, 2]
    assert limits_of(in_force) == ["8/minute", "6/minute"]


async def test_it_looks_by_itself(file: Path) -> None:
    in_force = RulesInForce(str(file))
    looking = asyncio.create_task(in_force.run())
    try:
        replace(file, rules("9/minute"))
        async with asyncio.timeout(20):
            while limits_of(in_force) != ["9/minute"]:  # noqa: ASYNC110 - the file has no event
                await asyncio.sleep(0.001)
    finally:
        looking.cancel()


def test_a_wrong_file_at_the_start_is_an_error(file: Path) -> None:
    file.write_text("version: 2\nrules: []\n")
    with pytest.raises(UnusableFile, match="version"):
        RulesInForce(str(file))
