"""The options of `sidegate load`: their names and what they are for."""

from __future__ import annotations

from typing import Annotated

import typer

from sidegate_sidecar.cli.options.declaration import option
from sidegate_sidecar.cli.options.load_arguments import RATE, SECONDS
from sidegate_sidecar.loadtest.plan.arrivals import Arrivals
from sidegate_sidecar.loadtest.plan.keys import Pick
from sidegate_sidecar.loadtest.plan.library import names
from sidegate_sidecar.loadtest.plan.scenario import Expect

_WHAT = "What is sent"
_ONE = "One stream (without --scenario)"
_HOW = "How"
_VERDICT = "Verdict"


def _option(name: str, metavar: str, text: str, group: str, shown: str | bool = False) -> object:
    return option(name, metavar, text, group, shown, has_variable=False)


Url = Annotated[
    str,
    typer.Argument(
        metavar="URL",
        help="Where requests go; the paths of a scenario come after it. A user and password in it"
        " are sent, and shown nowhere.",
        show_default=False,
    ),
]
ScenarioName = Annotated[
    str,
    _option(
        "scenario",
        "NAME|FILE.toml",
        f"Several streams at once, each with what is expected of it: {', '.join(names())}, or your"
        " own in a file.",
        _WHAT,
    ),
]
Rate = Annotated[
    str,
    _option(
        "rate",
        "NUMBER",
        "Requests a second. A scenario is scaled to it as a whole: the rate of each stream, and its"
        " number of keys, so that each key is asked for as often as before.",
        _WHAT,
        f"{RATE:g}, or the scenario's",
    ),
]
Seconds = Annotated[
    str,
    _option(
        "seconds",
        "SECONDS",
        "How long. A scenario is stretched to it.",
        _WHAT,
        f"{SECONDS:g}, or the scenario's",
    ),
]
Keys = Annotated[str, _option("keys", "NUMBER", "How many keys there are.", _ONE, "1")]
KeyHeader = Annotated[
    str,
    _option(
        "key-header",
        "NAME",
        "The header that the key of a request goes into. Without it no key is sent: then all"
        " requests are by one client.",
        _ONE,
    ),
]
PickName = Annotated[
    str, _option("pick", "|".join(Pick), "How the key of a request is picked.", _ONE, Pick.TURN)
]
LimitText = Annotated[
    str,
    _option(
        "limit",
        "LIMITS",
        'What each key is limited to, such as "100/minute": then the verdict says whether more was'
        " admitted, or clearly less.",
        _ONE,
    ),
]
ExpectName = Annotated[
    str,
    _option(
        "expect",
        "|".join(Expect),
        "What is expected: anything, nothing denied, as much as the limit allows, or the same and"
        " that it is reached.",
        _ONE,
        "within with --limit, any without",
    ),
]
ArrivalsName = Annotated[
    str,
    _option(
        "arrivals",
        "|".join(Arrivals),
        "Requests at equal distances, or each for itself, as those of many clients.",
        _ONE,
        Arrivals.EVEN,
    ),
]
Headers = Annotated[
    list[str],
    _option("header", "NAME:VALUE", "A header of every request. Repeat it for several.", _HOW),
]
Timeout = Annotated[
    str,
    _option("timeout", "SECONDS", "How long an answer may take.", _HOW, shown=True),
]
InFlight = Annotated[
    str,
    _option(
        "max-in-flight",
        "NUMBER",
        "Requests under way at once. One that is due beyond it isn't sent, and breaks the verdict.",
        _HOW,
        shown=True,
    ),
]
KeyPrefix = Annotated[
    str,
    _option(
        "key-prefix",
        "TEXT",
        "What all keys begin with. A run with the keys of the last one finds their buckets used.",
        _HOW,
        "random",
    ),
]
Seed = Annotated[
    str,
    _option("seed", "NUMBER", "The same seed sends the same at the same moments.", _HOW, "random"),
]
Crashes = Annotated[
    str,
    _option(
        "crashes",
        "PATH",
        "Where someone who kills nodes meanwhile notes it, a JSON object a line:"
        ' {"time": SECONDS SINCE 1970, "node": NAME, "event": "kill", "start" or "ready"}, the kill'
        " just before it is done. The verdict allows for what a kill may cost. The clock there and"
        " ours have to agree within a quarter of a second, as those of containers of one machine"
        " do. Read at the end; need not exist.",
        _VERDICT,
    ),
]
Tolerate = Annotated[
    str,
    _option(
        "tolerate-errors",
        "NUMBER",
        "How many requests may fail: 5xx, other 4xx than 429, redirects (they aren't followed),"
        " timeouts, broken connections.",
        _VERDICT,
        shown=True,
    ),
]
Json = Annotated[
    str, _option("json", "PATH", "Write the report there as JSON, for scripts.", _VERDICT)
]
Html = Annotated[
    str, _option("html", "PATH", "Write it there as one page with plots, for people.", _VERDICT)
]
