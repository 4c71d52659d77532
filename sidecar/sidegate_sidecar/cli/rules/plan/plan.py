"""`sidegate rules plan`: what new rules would change, by what came to the old ones."""

# Commands import what they need when they run.
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import Annotated

import typer

from sidegate_sidecar.cli.options import ask_options, readers
from sidegate_sidecar.cli.options.declaration import option
from sidegate_sidecar.cli.rules.loading import load
from sidegate_sidecar.errors import BAD_INPUT, NOT_DONE
from sidegate_sidecar.reports.shown_keys import ShownKeys

MAX_TOP = 1_000

OldFile = Annotated[
    str, typer.Argument(metavar="OLD", help="The rules in force.", show_default=False)
]
NewFile = Annotated[
    str, typer.Argument(metavar="NEW", help="The rules to come.", show_default=False)
]
AccessLog = Annotated[
    str,
    typer.Argument(
        metavar="ACCESS_LOG",
        help="What came: a file, also one that gzip has compressed, or - for standard input.",
        show_default=False,
    ),
]
FormatName = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="Of the log: common, combined or json. Else told by its first lines.",
        show_default=False,
    ),
]
FieldNamed = Annotated[
    list[str],
    typer.Option(
        "--field",
        metavar="WHAT=NAME",
        help="How a log of JSON calls time, client, method, path, request, host, status, user,"
        " headers or header:X-API-KEY; may be repeated.",
        show_default=False,
    ),
]
HostName = Annotated[
    str,
    typer.Option(
        "--host",
        metavar="HOST",
        help="Of requests whose line doesn't say one.",
        show_default=False,
    ),
]
IsProxied = Annotated[
    bool,
    typer.Option(
        "--trusted",
        help="The log's header fields are a trusted proxy's, which may name tenant, plan and"
        " X-Forwarded-For.",
        show_default=False,
    ),
]
Top = Annotated[
    str,
    typer.Option("--top", metavar="NUMBER", help="How many keys that are newly denied to show."),
]
KeysShown = Annotated[
    str, option("report-keys", "HOW", "How keys are shown: plain, masked or hashed.")
]
MaxNewlyDenied = Annotated[
    str,
    typer.Option(
        "--max-newly-denied",
        metavar="NUMBER",
        help='Exit with 1 if more are, such as 100 or "0.1 %" of the requests.',
        show_default=False,
    ),
]


def plan(
    old: OldFile,
    new: NewFile,
    access_log: AccessLog,
    *,
    log_format: FormatName = "",
    field: FieldNamed = [],  # noqa: B006  # typer shows and copies it
    host: HostName = "",
    trusted: IsProxied = False,
    top: Top = "10",
    report_keys: KeysShown = ShownKeys.PLAIN.value,
    max_newly_denied: MaxNewlyDenied = "",
    as_json: ask_options.AsJson = False,
) -> int:
    """LogReplay an access log against two rules files, and say what the new one would change.

    The exit code is 1 if more is newly denied than --max-newly-denied, and 2 for a file or a log
    that can't be used. Nothing is sent anywhere.
    """
    from sidegate_sidecar.cli.rules.plan.allowance import read_allowance
    from sidegate_sidecar.cli.rules.plan.plan_printing import print_plan
    from sidegate_sidecar.cli.rules.plan.planned import planned
    from sidegate_sidecar.cli.rules.plan.reading import LogOptions, replayed
    from sidegate_sidecar.cli.rules.printing import print_wrong
    from sidegate_sidecar.rules_file.rules_file import UnusableFile

    keys = readers.whole("top", top, 0, MAX_TOP)
    shown = readers.choice("report-keys", report_keys, ShownKeys)
    allowance = read_allowance("max-newly-denied", max_newly_denied) if max_newly_denied else None
    options = LogOptions.read(log_format, field, host, is_trusted=trusted)
    try:
        rules = load(old), load(new)
    except UnusableFile as error:
        print_wrong(error, as_json=as_json)
        return BAD_INPUT
    found = replayed(*rules, access_log, options)
    said = planned(found, keys, shown, allowance)
    print_plan(said, as_json=as_json)
    return NOT_DONE if said["too_many"] else 0
