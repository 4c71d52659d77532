"""A run's figures of peers come to tables, and to what was skipped and why."""

from io import StringIO

from bench.parts import memory
from bench.peers.contenders import OURS
from bench.peers.parts import clusters, peer_decisions, peer_memory, peer_web
from bench.peers.web import BARE
from bench.report import print_report
from bench.results import Results
from bench.targets import targets
from rich.console import Console


def figures() -> Results:
    results = Results({}, 0.0, quiet={"load": 0.0, "steal": 0.2, "spread": 0.0})
    for name, rate in ((OURS, 300_000.0), ("throttlecrab, by hand", 150_000.0)):
        for setting in peer_decisions.SETTINGS:
            more = {"client_cpu": 0.4, "server_cpu": 0.6}
            results.add(
                peer_decisions.PART, name, setting, 0, rate=rate, p50=24.0, p99=99.0, **more
            )
    web = {"rate": 9_000.0, "p99": 4_000.0, "cpu": 80.0, "kept": 0.75, "left": 0.875}
    results.add(peer_web.PART, BARE, peer_web.SETTING, 0, **web)
    results.add(peer_memory.PART, "sidegate", "1,000 keys", 0, bytes_per_key=166)
    for scene in clusters.SCENES:
        figures = dict.fromkeys(scene.columns, 12.5)
        results.add(clusters.PART, "sidegate", scene.title, 0, **figures)
    results.skipped["gubernator"] = "gubernator v1: go is not installed"
    return results


def test_a_target_is_met_missed_or_not_measured() -> None:
    results = figures()
    for name, held in ((memory.SIDECAR, 144.0), (memory.REDIS, 136.0)):
        results.add(memory.PART, name, "1,000 keys", 0, bytes_per_key=held)
    met = {it.text: (it.measured, it.met) for it in targets(results)}
    text = "bytes a key takes of a sidecar, over Redis with the script"
    assert met[text] == (144.0 / 136.0, False)
    assert met["processes of one fleet"] == (None, None)


def test_all_parts_have_their_tables_and_skips_their_reason() -> None:
    written = Console(record=True, width=200, file=StringIO())
    print_report(figures(), written, 1)
    text = written.export_text()
    for title in (*(f"Three nodes: {it.title}" for it in clusters.SCENES), peer_web.SETTING):
        assert title in text
    assert "150,000 (2.00x)" in text
    assert "0.40 + 0.60" in text
    assert "gubernator v1: go is not installed" in text
    assert "The machine was not quiet (steal)" in text


def test_targets_hold_ours_against_peers() -> None:
    measured = {it.text: it.measured for it in targets(figures())}
    assert measured["decisions/s at 16 in flight, over throttlecrab asked by hand"] == 2.0
    assert measured["p50 of one check, all on one core, over the echo's"] is None
