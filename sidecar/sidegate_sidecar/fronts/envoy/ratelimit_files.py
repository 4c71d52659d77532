"""The files of limits: read at the start, and again when one of them changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sidegate_sidecar.config import OptionError
from sidegate_sidecar.in_force import InForce
from sidegate_sidecar.ratelimit_yaml.ratelimit_yaml import read_ratelimit_yaml
from sidegate_sidecar.ratelimit_yaml.yaml_errors import YamlFileError
from sidegate_sidecar.ratelimit_yaml.yaml_nodes import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate_sidecar.ratelimit_yaml.descriptors import Domain

OPTION: Final = "ratelimit-yaml"


class RatelimitFiles(InForce["dict[str, Domain]"]):
    """The domains of some files, by name. OptionError for one that can't be used at the start."""

    def __init__(self, paths: Sequence[str]) -> None:
        try:
            super().__init__("limits", paths, lambda: _domains_of(paths))
        except OSError as error:
            why = f"expected a file that can be read: {error.strerror}"
            raise OptionError(OPTION, error.filename, why) from None
        except _UnusableFileError as error:
            raise OptionError(OPTION, error.path, error.why) from None


class _UnusableFileError(ValueError):
    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


def _domains_of(paths: Sequence[str]) -> dict[str, Domain]:
    domains: dict[str, Domain] = {}
    for path in paths:
        domain = _domain_of(path)
        if domain.name in domains:
            raise _UnusableFileError(path, f"domain {domain.name!r} is another file's too")
        domains[domain.name] = domain
    return domains


def _domain_of(path: str) -> Domain:
    with Path(path).open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    try:
        return read_ratelimit_yaml(content)
    except YamlFileError as error:
        raise _UnusableFileError(path, str(error)) from None
