"""Metrics: what a scrape says after something has happened."""

import asyncio
from pathlib import Path

import pytest

from sidegate.link.health import LinkState
from sidegate.protocol.messages import Answers, Charged, Checks, Error, Settled
from sidegate.version import __version__
from sidegate_sidecar.links.peers import Peer
from sidegate_sidecar.node.counts import LATENCIES
from sidegate_sidecar.process import Process
from sidegate_sidecar.telemetry.metrics import MAX_NAMED
from tests.sidecar.telemetry.scraped import Scrape, counted, scrape
from tests.support.in_process.beside import ring_with_puppet
from tests.support.in_process.cluster import cluster, eventually, key_of
from tests.support.in_process.http_client import charged, check, http, problem
from tests.support.in_process.puppets import APP, bare

LABELS = {
    "sidegate_checks": {"asker", "source", "outcome"},
    "sidegate_forward_seconds": set[str](),
    "sidegate_unanswered_checks": {"owner"},
    "sidegate_app_outcomes": {"outcome"},
    "sidegate_refunds": {"outcome"},
    "sidegate_failovers": set[str](),
    "sidegate_rule_checks": {"rule", "source", "outcome"},
    "sidegate_keys": set[str](),
    "sidegate_keys_by_role": {"role"},
    "sidegate_keys_evicted": {"payer"},
    "sidegate_table_bytes": set[str](),
    "sidegate_table_max_bytes": set[str](),
    "sidegate_table_largest_bytes": set[str](),
    "sidegate_connections": set[str](),
    "sidegate_connections_refused": {"code"},
    "sidegate_http_connections": set[str](),
    "sidegate_http_refused": {"reason"},
    "sidegate_reservations": {"outcome"},
    "sidegate_reservation_tokens": {"fate"},
    "sidegate_reservations_open": set[str](),
    "sidegate_leases_open": set[str](),
    "sidegate_lease_tokens": {"fate"},
    "sidegate_cache_values": set[str](),
    "sidegate_cache_bytes": set[str](),
    "sidegate_cache_max_bytes": set[str](),
    "sidegate_cache_answers": {"answer"},
    "sidegate_cache_values_brought": {"fate"},
    "sidegate_cache_evicted": set[str](),
    "sidegate_cache_removed": set[str](),
    "sidegate_cache_fills": set[str](),
    "sidegate_cache_waiting": set[str](),
    "sidegate_cache_leases_passed_on": set[str](),
    "sidegate_cache_lost_answers": set[str](),
    "sidegate_cache_handed_over_values": {"side"},
    "sidegate_cache_queued_bytes": set[str](),
    "sidegate_cache_queue_refusals": set[str](),
    "sidegate_slots_held": set[str](),
    "sidegate_slots_decided": set[str](),
    "sidegate_slots_waiting": set[str](),
    "sidegate_slot_answers": {"answer"},
    "sidegate_slots_freed": {"by"},
    "sidegate_split_share": set[str](),
    "sidegate_split_lost_nodes": set[str](),
    "sidegate_split_losses": set[str](),
    "sidegate_ring_nodes": set[str](),
    "sidegate_ring_agrees": set[str](),
    "sidegate_members": {"state"},
    "sidegate_incarnation": set[str](),
    "sidegate_stage": {"stage"},
    "sidegate_sync_lag_seconds": set[str](),
    "sidegate_synced_buckets": {"fate"},
    "sidegate_sync_overflows": set[str](),
    "sidegate_handovers": {"stage"},
    "sidegate_handover_seconds": {"stage"},
    "sidegate_handovers_overdue": {"stage"},
    "sidegate_handed_over_buckets": set[str](),
    "sidegate_over_admitted_tokens": set[str](),
    "sidegate_links": {"state"},
    "sidegate_peer_out_of_reach": {"peer", "state"},
    "sidegate_ready": set[str](),
    "sidegate_refused": set[str](),
    "sidegate_state_file_failing": set[str](),
    "sidegate_rules_info": {"digest"},
    "sidegate_rules_file_failing": set[str](),
    "sidegate_rules_versions": set[str](),
    "sidegate_rules_changes": set[str](),
    "sidegate_build_info": {"version", "name"},
}


def fold(node: Process) -> None:
    """Have all that was counted in the tables now, and not within a second."""
    assert node.node.counting is not None
    for _ in node.node.counting.settle():
        pass


async def test_all_metrics_have_their_names_and_labels() -> None:
    """The names and labels that dashboards and alerts are built on."""
    async with cluster("n1", "n2") as (one, two), http(one) as client:
        for owner in ("n1", "n2"):
            await check(client, key_of(owner, one.cluster.ring))
        one.node.counts.unanswered["n2"] += 1
        one.node.counts.turned_away["secret"] += 1
        one.peers.by_name["n2"].link.health.state = LinkState.DOWN
        fold(one)
        seen = await scrape(one)
        assert (await scrape(two))["sidegate_ring_nodes"] == 2
    ours = {name: family for name, family in seen.families.items() if name.startswith("sidegate_")}
    labels = {
        name: {label for sample in family.samples for label in sample.labels} - {"le"}
        for name, family in ours.items()
    }
    assert labels == LABELS
    assert all(family.documentation for family in ours.values())


async def test_checks_are_counted_by_rule_where_they_are_decided() -> None:
    """Rules beyond those that are counted apart are one, with the keys that name none."""
    async with cluster("n1", report_rules=1) as (one,), http(one) as client:
        for key in ("api:a", "api:b", "login:a", "customer-7"):
            for _ in range(2):
                await check(client, key, "1/hour")
        fold(one)
        seen = await scrape(one)
    assert counted(seen.all("sidegate_rule_checks_total", "rule", "source", "outcome")) == {
        ("api", "owner", "allowed"): 2,
        ("api", "owner", "denied"): 2,
        ("other", "owner", "allowed"): 2,
        ("other", "owner", "denied"): 2,
    }


async def test_checks_are_counted_by_asker_source_and_outcome() -> None:
    """Allowed and denied checks, of apps and of other nodes, at the one asked and at the owner."""
    async with cluster("n1", "n2") as (one, two), http(one) as client:
        mine, theirs = (key_of(owner, one.cluster.ring) for owner in ("n1", "n2"))
        for key in (mine, mine, mine, theirs, theirs):
            await check(client, key, "1/hour")
        asked, owner = await scrape(one), await scrape(two)
    labels = ("asker", "source", "outcome")
    assert counted(asked.all("sidegate_checks_total", *labels)) == {
        ("app", "owner", "allowed"): 2,
        ("app", "owner", "denied"): 3,
    }
    assert counted(owner.all("sidegate_checks_total", *labels)) == {
        ("node", "owner", "allowed"): 1,
        ("node", "owner", "denied"): 1,
    }


async def test_what_never_happened_is_counted_as_nothing() -> None:
    """All outcomes are there from the first scrape on, so that the first of each is a change."""
    async with cluster("n1") as (one,):
        seen = await scrape(one)
    sources = ("owner", "backup", "local", "open", "closed")
    outcomes = ("allowed", "denied", "error")
    everything = {(who, by, how) for who in ("app", "node") for by in sources for how in outcomes}
    counts = seen.all("sidegate_checks_total", "asker", "source", "outcome")
    assert counts == dict.fromkeys(everything, 0)


async def test_forwarded_checks_are_timed() -> None:
    """The histogram holds one observation for each frame that was forwarded, and adds up."""
    async with cluster("n1", "n2") as (one, two), http(one) as client:
        for _ in range(3):
            await check(client, key_of("n2", one.cluster.ring))
        await check(client, key_of("n1", one.cluster.ring))
        asked, owner = await scrape(one), await scrape(two)
    buckets = asked.all("sidegate_forward_seconds_bucket", "le")
    assert [float(bound) for (bound,) in buckets] == [*LATENCIES, float("inf")]
    assert list(buckets.values()) == sorted(buckets.values())
    assert buckets["+Inf",] == asked["sidegate_forward_seconds_count"] == 3
    assert 0 < asked["sidegate_forward_seconds_sum"] < 60
    assert owner["sidegate_forward_seconds_count"] == 0


async def test_an_owner_that_is_silent_is_seen() -> None:
    """Checks that their owner let wait are counted for it; its link is suspect, and takes none."""
    async with ring_with_puppet(budget=0.1) as (node, silent, client, key):
        before = await scrape(node)
        silent.gossips = False
        for _ in range(3):
            await check(client, key)
        after = await scrape(node)
    assert before.all("sidegate_peer_out_of_reach", "peer") == {}
    assert after.all("sidegate_peer_out_of_reach", "peer", "state") == {("puppet", "suspect"): 1}
    assert after.all("sidegate_unanswered_checks_total", "owner") == {("puppet",): 3}
    decided = after.all("sidegate_checks_total", "asker", "source", "outcome")
    assert decided["app", "backup", "allowed"] == 3
    assert (before["sidegate_failovers_total"], after["sidegate_failovers_total"]) == (0, 3)
    assert counted(before.all("sidegate_links", "state")) == {("up",): 1}
    assert counted(after.all("sidegate_links", "state")) == {("suspect",): 1}


async def test_a_node_that_is_well_adds_no_series() -> None:
    """What is scraped off a node doesn't grow with the ring."""
    async with cluster("alone") as (alone,), cluster("n1", "n2", "n3") as (one, *_):
        few, many = await scrape(alone), await scrape(one)
    assert _series(many) == _series(few)


async def test_the_nodes_out_of_reach_that_are_named_are_bounded() -> None:
    """When half of a large ring is gone at once, the first by name are named, and all counted."""
    async with ring_with_puppet(budget=0.02) as (node, silent, client, key):
        silent.gossips = False
        await check(client, key)
        peers = node.peers.by_name
        link = peers["puppet"].link
        gone = {f"gone{at:03}": Peer(f"gone{at:03}", link) for at in range(MAX_NAMED + 10)}
        peers.update(gone)
        seen = await scrape(node)
        for name in gone:
            del peers[name]
    assert [*seen.all("sidegate_peer_out_of_reach", "peer")] == [
        (it,) for it in [*gone][:MAX_NAMED]
    ]
    assert counted(seen.all("sidegate_links", "state")) == {("suspect",): len(gone) + 1}


def _series(seen: Scrape) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """Return all series but the one that has the node's name."""
    named = "sidegate_build_info"
    return {(it.name, frozenset(it.labels.items())) for it in seen.samples() if it.name != named}


async def test_a_state_file_that_cannot_be_saved_is_measured(tmp_path: Path) -> None:
    """Until it can be again."""
    folder = tmp_path / "volume"
    folder.mkdir()
    async with cluster("n1", state_file=f"{folder}/state") as (one,):
        assert one.state is not None
        folder.rename(tmp_path / "gone")
        await one.state.save()
        failing = await scrape(one)
        (tmp_path / "gone").rename(folder)
        await one.state.save()
        saved = await scrape(one)
    assert failing["sidegate_state_file_failing"] == 1
    assert saved["sidegate_state_file_failing"] == 0


async def test_the_rules_in_force_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    overwrite(file, "version: 1\nrules: [{name: api, limits: 5/minute}]\n")
    async with cluster("n1", rules=str(file)) as (one,):
        assert one.rules is not None
        held = await scrape(one)
        digest = one.rules.digest
        overwrite(file, "version: 1\nrules: [{name: api, limits: lots}]\n")
        await eventually(lambda: one.rules and one.rules.fault)
        failing = await scrape(one)
        overwrite(file, "version: 1\nrules: [{name: api, limits: 50/minute}]\n")
        await eventually(lambda: one.rules and one.rules.changes)
        changed = await scrape(one)
    in_force = [it.all("sidegate_rules_info", "digest").keys() for it in (held, failing, changed)]
    assert in_force[:2] == [{(digest,)}] * 2
    assert len(in_force[2]) == 1
    assert in_force[2] != in_force[0]
    names = "sidegate_rules_file_failing", "sidegate_rules_changes_total"
    shown = [[scraped[name] for name in names] for scraped in (held, failing, changed)]
    assert shown == [[0, 0], [1, 0], [0, 1]]


def overwrite(file: Path, text: str) -> None:
    file.write_text(text)


async def test_a_limit_that_was_passed_is_measured() -> None:
    """When an owner and who stood in for it have admitted too much, the owner's count shows it."""
    async with ring_with_puppet() as (node, other, _, _):
        key = key_of("n1", node.cluster.ring)
        charged(node, key, "10/hour", 8)
        minute = 60 * 10**9  # ns: 10/hour has an interval of 6
        await other.say(Charged(1, [(key, "10/hour", [30 * minute], [(7, 0, 5)])]))
        await other.hear(Settled)
        seen = await scrape(node)
    assert seen["sidegate_over_admitted_tokens_total"] == pytest.approx(3, abs=0.1)  # 8 + 5 - 10


async def test_buckets_are_counted_with_those_that_had_to_go() -> None:
    """Buckets held, how many fit, and those forgotten at the bound."""
    async with cluster("n1", max_memory=1 << 20) as (one,):
        for number in range(5_000):
            charged(one, f"login:k{number}", "5/hour", 1)
        charged(one, "k", "5/day", 1)
        seen = await scrape(one)
    assert 3_000 < seen["sidegate_keys"] < 5_000
    gone = seen.all("sidegate_keys_evicted_total", "payer")
    assert gone == {("rule",): 5_001 - seen["sidegate_keys"], ("keys",): 0, ("rest",): 0}
    assert seen["sidegate_table_max_bytes"] == 1 << 20
    assert 0.9 * 2**20 < seen["sidegate_table_largest_bytes"] < seen["sidegate_table_bytes"] < 2**20


async def test_connections_are_counted_with_those_refused() -> None:
    """Open connections, and those closed for a fault, by its code."""
    async with cluster("n1") as (one,), bare(one, APP) as peer:
        await eventually(lambda: one.sessions.open)
        assert (await scrape(one))["sidegate_connections"] == 1
        peer.writer.write(b"\xff" * 100)
        await peer.error()
        await eventually(lambda: not one.sessions.open)
        seen = await scrape(one)
    assert seen["sidegate_connections"] == 0
    assert seen.all("sidegate_connections_refused_total", "code") == {("frame-too-long",): 1}


async def test_what_others_say_makes_no_labels() -> None:
    """Error codes and sources that come from elsewhere can't fill the metrics."""
    async with ring_with_puppet() as (node, other, client, key), bare(node) as rude:
        await rude.send(Error("made-up", "I don't like you"))
        assert await rude.next() is None
        body = {"key": key, "limits": "5/hour"}
        asking = asyncio.create_task(client.post("/v1/check", json=body))
        asked = await other.hear(Checks)
        await other.say(Answers(asked.id, "made-up", "puppet", None, [[1, 0]]))
        assert "made-up" in problem(await asking, 502)["detail"]
        seen = await scrape(node)
    assert seen.all("sidegate_connections_refused_total", "code") == {}
    sources = {source for (source,) in seen.all("sidegate_checks_total", "source")}
    assert "other" in sources
    assert "made-up" not in sources


async def test_each_sidecar_has_its_own() -> None:
    """Two sidecars in one process don't share any count."""
    async with cluster("n1") as (one,), cluster("n2") as (two,), http(one) as client:
        await check(client, "k")
        assert (await scrape(one))["sidegate_keys"] == 1
        assert (await scrape(two))["sidegate_keys"] == 0


async def test_the_process_is_measured_too() -> None:
    """Memory and processor time of the process, the version of sidegate, and readiness."""
    async with cluster("n1") as (one,):
        await eventually(lambda: one.ready)
        seen = await scrape(one)
    assert seen["process_resident_memory_bytes"] > 1_000_000
    assert seen["process_cpu_seconds_total"] > 0
    assert seen.all("sidegate_build_info", "version", "name") == {(__version__, "n1"): 1}
    assert seen["sidegate_ready"] == 1


@pytest.mark.parametrize(
    ("accept", "open_metrics"),
    [("application/openmetrics-text; version=1.0.0", True), ("text/plain", False)],
)
async def test_a_scraper_may_ask_for_open_metrics(accept: str, open_metrics: bool) -> None:
    """The format is the one that the scraper accepts."""
    async with cluster("n1") as (one,), http(one) as client:
        answer = await client.get("/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(accept.partition(";")[0])
    assert "sidegate_checks_total" in answer.text
    assert answer.text.endswith("# EOF\n") is open_metrics
