"""The targets of the benchmark, and whether a run met them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.cluster import backup, failover, handover, loss, roll
from bench.contenders.echo import ECHO
from bench.contenders.redis_benchmark import PIPELINED
from bench.contenders.redis_client import REDIS_PY
from bench.contenders.sidegate_client import ONE_HOP, TWO_HOPS
from bench.fronts import forward_auth, http_checks
from bench.lab.usage import MIB
from bench.limits import leases, quotas
from bench.parts import decisions, fastapi_app, front, memory, reports, resp, values
from bench.peers.contenders import BY_HAND, OURS
from bench.peers.parts import clusters, peer_decisions
from bench.peers.parts.overload import OVERLOAD
from bench.peers.trios import SIDEGATE
from bench.sizing import cold_starts, commands, fleets

if TYPE_CHECKING:
    from bench.results import Results


_WRONG: Final = ("undecided", "errors")


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that must be at least (or at most) `wanted`; `measured` is None if it was not."""

    text: str
    wanted: float
    measured: float | None
    at_least: bool = True

    @property
    def met(self) -> bool | None:
        """Whether this run met it, None if the run did not measure it."""
        if self.measured is None:
            return None
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted


def targets(results: Results) -> list[Target]:
    """Return all targets with what this run measured, against each peer at its best."""
    return [
        *_speed(results),
        *_values(results),
        *_resp(results),
        *_auth(results),
        *_front(results),
        *_quotas(results),
        *_leases(results),
        *_reports(results),
        *_cluster(results),
        *_light(results),
        *_fleet(results),
        *_memory(results),
        *_beside_peers(results),
    ]


def _values(results: Results) -> list[Target]:
    names = values.BUSY, values.IDLE
    busy, idle = (results.median(values.PART, it, "16", "p99") for it in names)
    text = "p99 of checks at 16 in flight with the cache busy, over that with an idle one"
    return [Target(text, 1.2, _ratio(busy, idle), at_least=False)]


def _resp(results: Results) -> list[Target]:
    return [
        Target(
            f"decisions/s of redis-py over Redis with the script, {what}, {setting} in flight",
            1.0,
            _ratio(*(results.median(part, it, setting, "rate") for it in (resp.OURS, resp.REDIS))),
        )
        for part, what, setting in (
            *((resp.PART, "commands", it) for it in ("1", "64")),
            *((resp.PIPELINES, "pipelines", it) for it in ("1", "4")),
        )
    ]


def _auth(results: Results) -> list[Target]:
    return [
        Target(f"requests/s of {ours}, over a bare ASGI app", 0.7, _ratio(rate, bare))
        for it in (forward_auth, http_checks)
        for ours in (it.ALLOWED, it.DENIED)
        for rate, bare in [
            [results.median(it.PART, name, it.SETTING, "rate") for name in (ours, it.BARE)]
        ]
    ]


def _speed(results: Results) -> list[Target]:
    ours = results.median(decisions.PART, ONE_HOP, "256", "rate")
    floor = _p50(results, ECHO)
    bare = _web(results, fastapi_app.BARE)
    return [
        Target(
            "decisions/s at 256 in flight, over the best of redis-benchmark -P 32",
            2.0,
            _ratio(ours, _best(results, PIPELINED)),
        ),
        Target(
            "decisions/s at 256 in flight, over the best of redis-py",
            20.0,
            _ratio(ours, _best(results, REDIS_PY)),
        ),
        Target(
            "p50 of one check in flight, one hop, over the echo's",
            2.0,
            _ratio(_p50(results, ONE_HOP), floor),
            at_least=False,
        ),
        Target(
            "p50 of one check in flight, two hops, over the echo's",
            4.5,
            _ratio(_p50(results, TWO_HOPS), floor),
            at_least=False,
        ),
        Target(
            "FastAPI requests/s when allowed, over bare",
            0.93,
            _ratio(_web(results, "sidegate allowed"), bare),
        ),
        Target(
            "FastAPI answers/s when denied, over bare",
            2.0,
            _ratio(_web(results, "sidegate denied"), bare),
        ),
    ]


def _front(results: Results) -> list[Target]:
    app, flask = (
        {
            name: results.median(part, name, front.SETTING, "left")
            for name in results.contenders(part)
        }
        for part in (front.FASTAPI, front.FLASK)
    )
    (setting,) = results.settings(front.CHECKS) or [""]
    times = results.median(front.CHECKS, front.THREE, setting, "times")
    return [
        Target(
            "CPU of a FastAPI request that a decorator leaves, over what the middleware leaves",
            0.97,
            _ratio(app.get(front.DECORATOR), app.get(front.MIDDLEWARE)),
        ),
        *(
            Target(f"CPU of a Flask request over that with {name}", 0.9, flask.get(name))
            for name in (front.WSGI, front.DECORATOR)
        ),
        Target("CPU of a check with three limits, over one", 1.3, times, at_least=False),
    ]


def _quotas(results: Results) -> list[Target]:
    def rate(contender: str) -> float | None:
        return results.median(quotas.PART, contender, "256", "rate")

    return [
        Target(f"time of a check of {quota}, over {bucket}", 1.2, it, at_least=False)
        for quota, bucket, it in (
            ("a quota", "a bucket", _ratio(rate(quotas.BUCKET), rate(quotas.QUOTA))),
            ("both", "two buckets", _ratio(rate(quotas.TWO), rate(quotas.BOTH))),
        )
    ]


def _leases(results: Results) -> list[Target]:
    def figure(value: str) -> float | None:
        return results.median(leases.PART, leases.OURS, "3", value)

    return [
        Target("admitted of one key under overload, over B + rT", 0.999, figure("admitted")),
        Target("p50 in µs of its allowed checks", 2.0, figure("p50"), at_least=False),
        Target("p99 in µs of the same", 50.0, figure("p99"), at_least=False),
    ]


def _reports(results: Results) -> list[Target]:
    def figure(contender: str, value: str) -> float | None:
        return results.median(reports.PART, contender, "256", value)

    return [
        Target(
            "decisions/s at 256 in flight with reports, over without",
            0.93,
            _ratio(figure(reports.WITH, "rate"), figure(reports.WITHOUT, "rate")),
        ),
        Target(
            "p99 of checks while a report is asked for each 100 ms, over before",
            1.2,
            _ratio(figure(reports.ASKED, "p99"), figure(reports.WITH, "p99")),
            at_least=False,
        ),
    ]


def _cluster(results: Results) -> list[Target]:
    alone = results.median(backup.PART, backup.ALONE, "256", "rate")
    backed_up = results.median(backup.PART, backup.BACKED_UP, "256", "rate")
    failed_over = failover.PART, failover.ANSWERED, failover.SETTING
    return [
        Target(
            "decisions/s at 256 in flight of an owner with a backup, over without",
            0.75,
            _ratio(backed_up, alone),
        ),
        *_lost(results),
        _slower(results, "a handover", handover.PART, handover.BEFORE, handover.MEANWHILE),
        _slower(
            *(results, "a handover", handover.PART, handover.AFTER, handover.MEANWHILE),
            base="after, when all is a hop away",
        ),
        Target(
            "keys missing after a handover, or with another number of tokens left",
            0.0,
            _sum(results, handover.PART, handover.MEANWHILE, ("missing", "wrong")),
            at_least=False,
        ),
        _slower(results, "a roll", roll.PART, roll.BEFORE, roll.DURING),
        Target(
            "admitted too many in a roll, worst key, % of its limit",
            1.0,
            results.most(roll.PART, roll.DURING, roll.SETTING, "too_many"),
            at_least=False,
        ),
        Target(
            "checks of a roll answered open or closed, or by an error",
            0.0,
            _sum(results, roll.PART, roll.DURING, _WRONG),
            at_least=False,
        ),
        Target(
            "ms from a kill -9 of an owner until its backup answered, median",
            50.0,
            results.median(*failed_over, "ms"),
            at_least=False,
        ),
        Target(
            "checks after a kill -9 answered open or closed, or by an error",
            0.0,
            _sum(results, failover.PART, failover.ANSWERED, _WRONG),
            at_least=False,
        ),
    ]


def _lost(results: Results) -> list[Target]:
    return [
        Target(
            f"% of a burst of {limits} lost by a kill -9 while it is spent, {which}",
            most,
            of(loss.PART, limits, loss.SETTING, "lost"),
            at_least=False,
        )
        for limits, _ in loss.SPENT
        for which, most, of in (("median", 1.0, results.median), ("at most", 5.0, results.most))
    ]


def _light(results: Results) -> list[Target]:
    setting = commands.SETTING
    idle = results.median(commands.PROBES, commands.IDLE, setting, "resident")
    started = results.median(commands.PART, commands.ALONE, setting, "cpu_ms")
    return [
        Target(
            "RSS of a sidecar that is only probed and scraped, MiB",
            36.0,
            _ratio(idle, MIB),
            at_least=False,
        ),
        Target("ms of CPU until a sidecar is ready", 350.0, started, at_least=False),
    ]


def _fleet(results: Results) -> list[Target]:
    def figure(value: str) -> float | None:
        return results.median(fleets.PART, fleets.ALL, fleets.SETTING, value)

    share = _ratio(figure("decided"), figure("asked"))
    cold = results.median(cold_starts.PART, cold_starts.AN_OWNER, "200", "cpu")
    return [
        Target("s of CPU of an owner in a cold start of 200", 1.0, cold, at_least=False),
        Target("processes of one fleet", figure("wanted") or 500.0, figure("processes")),
        Target("share of checks through its leaves that owners decided", 1.0, share),
    ]


def _memory(results: Results) -> list[Target]:
    (setting,) = results.settings(memory.PART) or [""]
    ours, theirs = (
        results.median(memory.PART, name, setting, "bytes_per_key")
        for name in (memory.SIDECAR, memory.REDIS)
    )
    text = "bytes a key takes of a sidecar, over Redis with the script"
    return [Target(text, 1.0, _ratio(ours, theirs), at_least=False)]


def _beside_peers(results: Results) -> list[Target]:
    def figure(contender: str, setting: str, value: str) -> float | None:
        return results.median(peer_decisions.PART, contender, setting, value)

    alone = [figure(name, peer_decisions.ONE_CORE, "p50") for name in (OURS, ECHO)]
    busy = [figure(name, "16", "rate") for name in (OURS, f"throttlecrab, {BY_HAND}")]
    title = OVERLOAD.title
    beyond = results.most(clusters.PART, SIDEGATE, title, "too_many")
    return [
        Target(
            "p50 of one check, all on one core, over the echo's",
            2.0,
            _ratio(*alone),
            at_least=False,
        ),
        Target("decisions/s at 16 in flight, over throttlecrab asked by hand", 1.0, _ratio(*busy)),
        Target(f"% admitted beyond the limit, {title}", 0.1, beyond, at_least=False),
    ]


def _slower(
    results: Results, event: str, part: str, other: str, during: str, base: str = "before"
) -> Target:
    (setting,) = results.settings(part) or [""]
    p99 = [results.median(part, name, setting, "p99") for name in (during, other)]
    return Target(f"p99 of checks during {event}, over {base}", 3.0, _ratio(*p99), at_least=False)


def _sum(results: Results, part: str, contender: str, values: tuple[str, ...]) -> float | None:
    """Return the sum of some counts, each at its worst."""
    (setting,) = results.settings(part) or [""]
    counts = [results.most(part, contender, setting, value) for value in values]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _p50(results: Results, contender: str) -> float | None:
    return results.median(decisions.PART, contender, "1", "p50")


def _web(results: Results, variant: str) -> float | None:
    return results.median(fastapi_app.PART, variant, fastapi_app.SETTING, "rate")


def _best(results: Results, contender: str) -> float | None:
    part = decisions.PART
    rates = [results.median(part, contender, setting, "rate") for setting in results.settings(part)]
    return max((rate for rate in rates if rate is not None), default=None)


def _ratio(figure: float | None, base: float | None) -> float | None:
    return None if figure is None or base is None else figure / base
