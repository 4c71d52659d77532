"""Metrics for Prometheus: read off the node when scraped, so that they cost nothing in between.

Every label is bounded: `peer` and `owner` by the ring, `rule` by --report-rules, `code` by the
faults that we name, the others by lists in the code.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import InfoMetricFamily
from prometheus_client.registry import Collector

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import SECOND
from sidegate.link.health import LinkState
from sidegate.version import __version__
from sidegate_ring.membership.membership import Life
from sidegate_sidecar.cluster.cluster import Stage
from sidegate_sidecar.reports.series import Column
from sidegate_sidecar.telemetry.cache_metrics import cache_metrics
from sidegate_sidecar.telemetry.families import counter, gauge, gauges, histogram
from sidegate_sidecar.telemetry.lease_metrics import lease_metrics
from sidegate_sidecar.telemetry.reservation_metrics import reservation_metrics
from sidegate_sidecar.telemetry.slot_metrics import slot_metrics
from sidegate_sidecar.telemetry.split_metrics import split_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

    from sidegate_sidecar.cluster.cluster import Cluster
    from sidegate_sidecar.reports.activity import Activity
    from sidegate_sidecar.rules_file.rules_in_force import RulesInForce
    from sidegate_sidecar.sidecar import Sidecar

MAX_NAMED = 50  # nodes out of reach: else a split of hundreds is a hundred thousand new series


def make_registry(sidecar: Sidecar, *of_fronts: Collector) -> CollectorRegistry:
    """Return a registry of this sidecar's own: many of them run in one process in tests."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in (SidecarCollector(sidecar), *of_fronts):
        registry.register(collector)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


class SidecarCollector(Collector):
    """The metrics of one sidecar."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    def collect(self) -> Iterator[Metric]:
        """Give all metrics as they are now."""
        sidecar = self._sidecar
        yield from _checks(sidecar)
        yield from _holdings(sidecar)
        yield from _connections(sidecar)
        yield from _peers(sidecar)
        yield from _members(sidecar.cluster)
        yield from _syncing(sidecar)
        yield from reservation_metrics(sidecar.node.reservations.table)
        yield from lease_metrics(sidecar.node.leases.lending, sidecar.node.clock())
        if sidecar.cache is not None:
            yield from cache_metrics(sidecar.cache)
        yield from slot_metrics(sidecar.sessions.slots.node)
        yield from split_metrics(sidecar.cluster.side)
        yield gauge("ready", "Whether this node has joined.", sidecar.ready)
        text = "Whether nodes refuse this one, which isn't ready for that."
        yield gauge("refused", text, bool(sidecar.why_not_ready and sidecar.discovery.refusal))
        text = "Whether the last save of the state file failed; 0 also where there is none."
        failing = sidecar.state is not None and sidecar.state.failing
        yield gauge("state_file_failing", text, failing)
        yield from _rules(sidecar.rules)
        text = "Different rules that the nodes have in force, no rules file being one."
        yield gauge("rules_versions", text, sidecar.cluster.rules.versions())
        build = InfoMetricFamily("sidegate_build", "The version of sidegate, and this node's name.")
        build.add_metric([], {"version": __version__, "name": sidecar.config.name})
        yield build


def _rules(in_force: RulesInForce | None) -> Iterator[Metric]:
    text = 'The rules in force: equal digests mean the same, "" is no rules file.'
    info = InfoMetricFamily("sidegate_rules", text)
    info.add_metric([], {"digest": in_force.digest if in_force else ""})
    yield info
    text = "Whether the rules file can't be used as it is; what it said before stays in force."
    yield gauge("rules_file_failing", text, bool(in_force and in_force.fault))
    text = "Versions of the rules file that came into force since the first."
    yield counter("rules_changes", text, (), {(): in_force.changes if in_force else 0})


def _checks(sidecar: Sidecar) -> Iterator[Metric]:
    counts = sidecar.node.counts
    checks = _bounded(counts.checks)
    text = "Checks by asker (app: each once; node: those it forwarded), source, and outcome."
    yield counter("checks", text, ("asker", "source", "outcome"), checks)
    yield histogram(
        "forward_seconds", "Time until a frame of forwarded checks was answered.", counts.forwarded
    )
    text = (
        "Checks that a node which was asked left unanswered, or handed back; of nodes still known."
    )
    known = sidecar.cluster.membership.members  # the names of others may never come back
    unanswered = {(name,): count for name, count in counts.unanswered.items() if name in known}
    yield counter("unanswered_checks", text, ("owner",), unanswered)
    text = "Checks that apps decided without a sidecar (open, closed, local), or whose key failed."
    outcomes = {(outcome,): count for outcome, count in counts.app_outcomes.items()}
    yield counter("app_outcomes", text, ("outcome",), outcomes)
    text = "Charges to give back: given back here, forwarded to the owner, or dropped."
    refunds = {(outcome.value,): count for outcome, count in counts.refunds.items()}
    yield counter("refunds", text, ("outcome",), refunds)
    if (counting := sidecar.node.counting) is not None:
        text = "Checks that this node has decided, a second ago or longer, by rule and source."
        labels = ("rule", "source", "outcome")
        yield counter("rule_checks", text, labels, _by_rule(counting.activity))
    text = "Checks of apps that the backup of the key's owner decided: those of source backup."
    yield counter("failovers", text, (), {(): counts.failovers})


def _by_rule(activity: Activity) -> dict[tuple[str, str, str], int]:
    """Return what was decided, by rule, source and outcome; the rules beyond the first as other."""
    return {
        (rule, source, outcome): it.totals[source, column]
        for rule, it in activity.by_rule.items()
        for source, column in it.totals
        if (outcome := _OUTCOMES.get(column))
    }


_OUTCOMES: Final = {Column.ALLOWED: "allowed", Column.DENIED: "denied", Column.ERRORS: "error"}


def _bounded(checks: Mapping[tuple[str, str, str], int]) -> Counter[tuple[str, str, str]]:
    """Count sources that we don't know as one: they come from other nodes, as text.

    What never happened is there too, as 0: else Prometheus takes the first time for the beginning
    and not for a change.
    """
    nothing = product(("app", "node"), _DECIDING, ("allowed", "denied", "error"))
    bounded: Counter[tuple[str, str, str]] = Counter(dict.fromkeys(nothing, 0))
    for (asker, source, outcome), count in checks.items():
        bounded[asker, source if source in _SOURCES else "other", outcome] += count
    return bounded


_SOURCES = frozenset(source.value for source in Source)
_OF_APPS = {Source.REMEMBERED.value, Source.MEMORY.value, Source.LEASE.value}
_DECIDING = sorted(_SOURCES - _OF_APPS)


def _holdings(sidecar: Sidecar) -> Iterator[Metric]:
    buckets = sidecar.node.buckets
    yield gauge("keys", "Buckets held: one for each key and limit in debt.", len(buckets))
    text = "What all buckets take of the memory, as it is counted for the bound."
    yield gauge("table_bytes", text, buckets.bytes)
    text = "What they may take; at it, the rule and limit with most buckets gives up some."
    yield gauge("table_max_bytes", text, buckets.max_memory)
    text = "What the one rule under one limit takes that takes most: who pays at the bound."
    yield gauge("table_largest_bytes", text, buckets.largest()[1])
    owned, backed_up = sidecar.cluster.held()
    text = "Buckets held by role: owner, or backup of another node. Of over 1,000, an estimate."
    roles = ((("owner",), owned), (("backup",), backed_up))
    yield gauges("keys_by_role", text, ("role",), roles)
    text = (
        "Buckets forgotten while in debt, because no more fitted: of a rule, of keys that name no"
        " rule, or of the rest, which are the rules beyond the first 1,024."
    )
    evicted = {(kind.value,): count for kind, count in buckets.evicted.items()}
    yield counter("keys_evicted", text, ("payer",), evicted)


def _connections(sidecar: Sidecar) -> Iterator[Metric]:
    text = "Connections of apps and nodes that are open to this node."
    yield gauge("connections", text, len(sidecar.sessions.open))
    codes = {(code,): count for code, count in sidecar.node.counts.turned_away.items()}
    text = "Connections closed for a fault of the other side, by its code."
    yield counter("connections_refused", text, ("code",), codes)


def _members(cluster: Cluster) -> Iterator[Metric]:
    members = cluster.membership.members.values()
    yield gauge("ring_nodes", "Nodes on the ring, this one included.", len(cluster.ring))
    text = "Whether all nodes that this one hears from hold the same ring."
    yield gauge("ring_agrees", text, cluster.agrees)
    states = Counter(member.state for member in members)
    text = "Other nodes by state: alive, suspect, dead, left; the latter two for ten minutes."
    by_state = (((state.name.lower(),), states[state]) for state in Life)
    yield gauges("members", text, ("state",), by_state)
    text = "Raised each time this node says something new of itself, or refutes its death."
    yield gauge("incarnation", text, cluster.membership.me.incarnation)
    text = "1 for the stage of this node on the ring; waiting: the last owner, for an heir."
    stages = (((stage.value,), cluster.stage is stage) for stage in Stage)
    yield gauges("stage", text, ("stage",), stages)


def _syncing(sidecar: Sidecar) -> Iterator[Metric]:
    sync = sidecar.cluster.sync
    counts = sync.counts
    text = "Seconds since the oldest change that isn't merged by its backup yet."
    yield gauge("sync_lag_seconds", text, sync.lag(sidecar.clock()) / SECOND)
    text = "Buckets by what became of them: sent, resent, or merged from other nodes."
    fates = {("sent",): counts.sent, ("resent",): counts.resent, ("merged",): counts.merged}
    yield counter("synced_buckets", text, ("fate",), fates)
    text = "Times that more waited to be sent to a node than may; then all is sent to it anew."
    yield counter("sync_overflows", text, (), {(): counts.overflows})
    passages = sidecar.cluster.place.passages.items()
    text = "Handovers of buckets: joining, returning after a standstill, leaving."
    times = {(stage.value,): passage.count for stage, passage in passages}
    yield counter("handovers", text, ("stage",), times)
    text = "Buckets that others had merged when this node had left the ring, or was to."
    yield counter("handed_over_buckets", text, (), {(): sidecar.leaving.handed_over})
    text = "Seconds that handovers took."
    took = {(stage.value,): passage.total / SECOND for stage, passage in passages}
    yield counter("handover_seconds", text, ("stage",), took)
    text = "Handovers that were ended by their deadline."
    overdue = {(stage.value,): passage.overdue for stage, passage in passages}
    yield counter("handovers_overdue", text, ("stage",), overdue)
    text = "Tokens admitted beyond a limit while others stood in for owners, at most; no splits."
    yield counter("over_admitted_tokens", text, (), {(): sync.over_admitted})


def _peers(sidecar: Sidecar) -> Iterator[Metric]:
    peers = sidecar.peers
    states = Counter([peer.state for peer in peers.by_name.values()])
    states.update(link.state for link in peers.strangers)
    text = "Links to other nodes, and to addresses where none has answered yet, by state."
    yield gauges("links", text, ("state",), (((state,), states[state]) for state in LinkState))
    text = (
        "1 for a node whose link takes no checks: suspect is silent, down not connected. A node"
        f" that isn't here is well, or off the ring. The first {MAX_NAMED} by name."
    )
    bad = sorted((it.name, it.state) for it in peers.by_name.values() if not it.link.takes_checks)
    named = ((labels, 1) for labels in bad[:MAX_NAMED])
    yield gauges("peer_out_of_reach", text, ("peer", "state"), named)
