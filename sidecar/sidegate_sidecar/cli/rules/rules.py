"""`sidegate rules`: look at a rules file before sidecars do."""

# Commands import what they need when they run.
# ruff: noqa: PLC0415

from __future__ import annotations

import typer

from sidegate_sidecar.cli.options import ask_options  # noqa: TC001  # typer reads it
from sidegate_sidecar.cli.rules.explain import explain
from sidegate_sidecar.cli.rules.importing import import_ratelimit
from sidegate_sidecar.cli.rules.loading import File, load
from sidegate_sidecar.cli.rules.plan.plan import plan
from sidegate_sidecar.errors import NOT_DONE


def rules_commands(epilog: str) -> typer.Typer:
    """Return the commands that `sidegate rules` has."""
    app = typer.Typer(name="rules", help="Check a rules file, and ask what it means.")
    for command in (validate, schema, explain, plan):
        app.command(epilog=epilog)(command)
    app.command("import", epilog=epilog)(import_ratelimit)
    return app


def validate(file: File, *, as_json: ask_options.AsJson = False) -> int:
    """Tell whether a rules file can be used: all that is wrong with it, or what it holds."""
    from sidegate_sidecar.cli.rules.printing import print_held, print_wrong
    from sidegate_sidecar.rules_file.rules_file import UnusableFile

    try:
        print_held(file, load(file), as_json=as_json)
    except UnusableFile as error:
        print_wrong(error, as_json=as_json)
        return NOT_DONE
    return 0


def schema() -> None:
    """Print the JSON Schema of rules files, for editors."""
    from sidegate.ruleset.schema import json_schema
    from sidegate_sidecar.cli.printing import print_json

    print_json(json_schema())
