"""The seed of the ring: how it is given, who owns a key by it, and nodes with another one."""

from pathlib import Path
from typing import Any

import pytest

from sidegate_ring import Ring
from sidegate_ring.places import fingerprint, seeded
from sidegate_sidecar.cli.options.credentials import ring_seed
from sidegate_sidecar.config import OptionError
from sidegate_sidecar.process import Process
from tests.support.in_process.cluster import client, cluster, config, eventually, key_of

SEED = b"0123456789abcdef"
OTHER = b"another seed of the ring"
KEYS = [f"key{at}" for at in range(50)]


def test_it_comes_from_the_environment_or_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """White space around it doesn't count; a file, where one is given, has the last word."""
    assert ring_seed("") == b""
    monkeypatch.setenv("SIDEGATE_RING_SEED", " of the environment\n")
    assert ring_seed("") == b"of the environment"
    file = tmp_path / "seed"
    file.write_bytes(b"\xff" * 1024 + b"\r\n")
    assert ring_seed(str(file)) == b"\xff" * 1024


@pytest.mark.parametrize("length", [0, 15, 1025, 5000])
def test_a_file_with_a_wrong_one_is_named_and_not_shown(tmp_path: Path, length: int) -> None:
    file = tmp_path / "seed"
    file.write_text("s" * length)
    with pytest.raises(OptionError, match="expected 16 to 1,024 bytes, such as") as caught:
        ring_seed(str(file))
    assert (caught.value.option, caught.value.value) == ("ring-seed-file", str(file))
    assert "sss" not in str(caught.value)


def test_the_variable_is_named_and_the_seed_not_shown(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no flag for the seed itself, so none is named."""
    monkeypatch.setenv("SIDEGATE_RING_SEED", "open sesame")
    assert run("serve").complaint.startswith(
        "sidegate: SIDEGATE_RING_SEED '(not shown)': expected 16 to 1,024 bytes"
    )


async def test_nodes_with_the_same_one_agree_by_it(ask: Any) -> None:
    """On the owner of each key, which is another than without; so do those who are asked for it."""
    async with cluster("n1", "n2", "n3", ring_seed=SEED) as nodes:
        names = [node.config.name for node in nodes]
        ring = Ring(names, key_hash=seeded(SEED))
        assert [node.cluster.ring for node in nodes] == [ring] * 3
        assert any(ring.owner(key) != Ring(names).owner(key) for key in KEYS)
        key = key_of("n2", ring)
        assert (await ask(nodes[0], "owner", key)).out.split()[0] == "n2"
        async with client(nodes[0]) as asking:
            assert (await asking.check(key, "5/day")).node == "n2"


@pytest.mark.parametrize("other", [OTHER, b""])
async def test_a_node_with_another_one_is_refused(
    other: bytes, ask: Any, log: pytest.LogCaptureFixture
) -> None:
    """Both say why and what to do, and neither shows a seed or its fingerprint."""
    async with (
        cluster("n1", ring_seed=SEED) as (one,),
        Process(config("n2", ring_seed=other, seeds=(one.link,))) as two,
    ):
        await eventually(two.peers.refusal)
        row = (await ask(two, "nodes")).out.splitlines()[-1]
        assert row.split()[:3] == ["?", str(one.link), "down"]
        assert one.cluster.ring.nodes == ("n1",)
        assert not two.ready
        assert one.node.counts.turned_away["ring-seed"]
    for said in (row, *log.messages):
        assert fingerprint(SEED) not in said
        assert SEED.decode() not in said
    said = [line for line in log.messages if "(SIDEGATE_RING_SEED)" in line]
    assert any(line.startswith("refused node 'n2'") for line in said)
    assert any(line.startswith("link to ") for line in said)
    assert all("give all nodes of a cluster the same --ring-seed-file" in line for line in said)
