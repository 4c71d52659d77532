"""The command `sidegate load`: its options, and what they order."""

from __future__ import annotations

from sidegate_sidecar.cli.options import load_options  # noqa: TC001  # typer reads them
from sidegate_sidecar.cli.options.load_arguments import Given, order_of
from sidegate_sidecar.loadtest.plan.settings import MAX_IN_FLIGHT, TIMEOUT


def load(  # noqa: PLR0913  # a parameter for each option, as typer wants it
    url: load_options.Url,
    *,
    scenario: load_options.ScenarioName = "",
    rate: load_options.Rate = "",
    seconds: load_options.Seconds = "",
    keys: load_options.Keys = "",
    key_header: load_options.KeyHeader = "",
    pick: load_options.PickName = "",
    limit: load_options.LimitText = "",
    expect: load_options.ExpectName = "",
    arrivals: load_options.ArrivalsName = "",
    header: load_options.Headers = [],  # noqa: B006  # typer shows and copies it
    timeout: load_options.Timeout = f"{TIMEOUT:g}",
    max_in_flight: load_options.InFlight = str(MAX_IN_FLIGHT),
    key_prefix: load_options.KeyPrefix = "",
    seed: load_options.Seed = "",
    crashes: load_options.Crashes = "",
    tolerate_errors: load_options.Tolerate = "0",
    json: load_options.Json = "",
    html: load_options.Html = "",
) -> int:
    """Load-test a service: requests at planned moments, whatever the answers do, and a verdict."""
    order = order_of(
        Given(
            url=url,
            scenario=scenario,
            rate=rate,
            seconds=seconds,
            keys=keys,
            key_header=key_header,
            pick=pick,
            limit=limit,
            expect=expect,
            arrivals=arrivals,
            headers=header,
            timeout=timeout,
            max_in_flight=max_in_flight,
            key_prefix=key_prefix,
            seed=seed,
            crashes=crashes,
            tolerate_errors=tolerate_errors,
            json=json,
            html=html,
        )
    )
    from sidegate_sidecar.loadtest.run import run_load  # noqa: PLC0415  # aiohttp takes a second

    return run_load(order)
