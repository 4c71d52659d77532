"""The command `sidegate load`: its options, and what they order."""

from __future__ import annotations

from sidegate_sidecar.cli.options import load_options as ordered  # noqa: TC001  # typer reads them
from sidegate_sidecar.cli.options.load_arguments import Given, order_of
from sidegate_sidecar.cli.options.names import complaint
from sidegate_sidecar.config import OptionError
from sidegate_sidecar.errors import BAD_INPUT, Failure
from sidegate_sidecar.loadtest.plan.settings import MAX_IN_FLIGHT, TIMEOUT


def load(  # noqa: PLR0913  # a parameter for each option, as typer wants it
    url: ordered.Url,
    *,
    scenario: ordered.ScenarioName = "",
    rate: ordered.Rate = "",
    seconds: ordered.Seconds = "",
    keys: ordered.Keys = "",
    key_header: ordered.KeyHeader = "",
    pick: ordered.PickName = "",
    limit: ordered.LimitText = "",
    expect: ordered.ExpectName = "",
    arrivals: ordered.ArrivalsName = "",
    header: ordered.Headers = [],  # noqa: B006  # typer shows and copies it
    timeout: ordered.Timeout = f"{TIMEOUT:g}",
    max_in_flight: ordered.InFlight = str(MAX_IN_FLIGHT),
    key_prefix: ordered.KeyPrefix = "",
    seed: ordered.Seed = "",
    crashes: ordered.Crashes = "",
    tolerate_errors: ordered.Tolerate = "0",
    json: ordered.Json = "",
    html: ordered.Html = "",
) -> int:
    """Load-test a service: requests at planned moments, whatever the answers do, and a verdict."""
    try:
        order = order_of(
            url,
            Given(
                scenario=scenario,
                rate=rate,
                seconds=seconds,
                keys=keys,
                key_header=key_header,
                pick=pick,
                limit=limit,
                expect=expect,
                arrivals=arrivals,
            ),
            headers=header,
            timeout=timeout,
            max_in_flight=max_in_flight,
            key_prefix=key_prefix,
            seed=seed,
            crashes=crashes,
            tolerate=tolerate_errors,
            json=json,
            html=html,
        )
    except OptionError as error:  # none of these is in the environment
        text = complaint(error.option, error.value, error.why, has_variable=False)
        raise Failure(BAD_INPUT, text) from None
    from sidegate_sidecar.loadtest.run import run_load  # noqa: PLC0415  # aiohttp takes a second

    return run_load(order)
