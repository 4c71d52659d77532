"""`sidegate rules import`: a rules file made of an envoyproxy/ratelimit configuration."""

# Commands import what they need when they run.
# ruff: noqa: PLC0415

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sidegate_sidecar.cli.options import readers
from sidegate_sidecar.config import OptionError
from sidegate_sidecar.errors import BAD_INPUT, NOT_DONE, Failure

if TYPE_CHECKING:
    from sidegate_sidecar.ratelimit_yaml.descriptors import Domain

RatelimitFile = Annotated[
    str,
    typer.Argument(
        metavar="RATELIMIT_YAML",
        help="A configuration of envoyproxy/ratelimit.",
        show_default=False,
    ),
]
Output = Annotated[
    str,
    typer.Option(
        "-o", "--output", metavar="FILE", help="A new file to write to.", show_default=False
    ),
]
DescriptorKeys = Annotated[
    list[str],
    typer.Option(
        "--descriptor",
        metavar="KEY=HEADER",
        help="Which header field a descriptor's key stands for, such as api_key=x-api-key; may be"
        " repeated. Else it is the one that is called so.",
        show_default=False,
    ),
]


def import_ratelimit(
    ratelimit_yaml: RatelimitFile,
    *,
    output: Output = "",
    descriptor: DescriptorKeys = [],  # noqa: B006  # typer shows and copies it
) -> int:
    """Write a rules file that says what an envoyproxy/ratelimit configuration does.

    What can't be said is told on stderr, by its line, and the exit code is 1 then.
    """
    from sidegate_sidecar.cli.rules.imported_text import rules_text
    from sidegate_sidecar.rules_file.faults import MAX_BYTES
    from sidegate_sidecar.rules_import.imported import imported
    from sidegate_sidecar.text import visible

    named = dict(_named(it) for it in descriptor)
    found = imported(_read(ratelimit_yaml), named)
    text = rules_text(found, ratelimit_yaml)
    if len(text.encode()) > MAX_BYTES:
        raise Failure(BAD_INPUT, f"{ratelimit_yaml}: makes more than {MAX_BYTES:,} bytes of rules")
    if output:
        _write(output, text)
    else:
        sys.stdout.write(text)
    for it in found.rest:
        sys.stderr.write(visible(f"{ratelimit_yaml}:{it.line}: {it.path}: {it.why}") + "\n")
    return NOT_DONE if found.rest else 0


def _named(text: str) -> tuple[str, str]:
    key, equals, name = text.rpartition("=")
    if not (key and equals):
        raise OptionError("descriptor", text, "expected KEY=HEADER, such as api_key=x-api-key")
    return key, readers.header_name("descriptor", name).lower()


def _read(file: str) -> Domain:
    from sidegate_sidecar.ratelimit_yaml.ratelimit_yaml import read_ratelimit_yaml
    from sidegate_sidecar.ratelimit_yaml.yaml_errors import YamlFileError
    from sidegate_sidecar.ratelimit_yaml.yaml_nodes import MAX_BYTES
    from sidegate_sidecar.text import visible

    try:
        with Path(file).open("rb") as opened:
            return read_ratelimit_yaml(opened.read(MAX_BYTES + 1), file)
    except OSError as error:
        raise Failure(BAD_INPUT, _why(file, error)) from None
    except YamlFileError as error:
        raise Failure(BAD_INPUT, visible(str(error))) from None


def _write(file: str, text: str) -> None:
    try:
        with Path(file).open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise Failure(BAD_INPUT, _why(file, error)) from None


def _why(file: str, error: OSError) -> str:
    return f"{file}: {(error.strerror or str(error)).lower()}"
