"""The files of limits: read at the start, and again when one of them changes."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sidegate.watched import Watched
from sidegate_sidecar.config import OptionError
from sidegate_sidecar.ratelimit_yaml.ratelimit_yaml import read_ratelimit_yaml
from sidegate_sidecar.ratelimit_yaml.yaml_errors import YamlFileError
from sidegate_sidecar.ratelimit_yaml.yaml_nodes import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate_sidecar.ratelimit_yaml.descriptors import Domain

log = logging.getLogger("sidegate")

OPTION: Final = "ratelimit-yaml"
LOOK_EVERY: Final = 2.0  # seconds: a kubelet takes a minute to bring a new file


class RatelimitFiles:
    """The domains of some files, by name. OptionError for one that can't be used at the start.

    What is wrong later is logged once; until it is mended what was read before holds.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths
        self._watched = Watched(paths, self._read)
        self.fault = ""
        try:
            self._watched.look()
        except _FileError as error:
            raise OptionError(OPTION, error.path, error.why) from None

    @property
    def domains(self) -> dict[str, Domain]:
        """What the files say, all of them as they were at one moment."""
        assert self._watched.value is not None  # or there was an OptionError
        return self._watched.value

    async def run(self) -> None:
        """Look for changes, for ever. Reading takes a thread, as it may take half a second."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Read the files again if one has changed."""
        fault = ""
        try:
            if self._watched.look():
                log.info("limits of %s are read again", ", ".join(self._paths))
        except _FileError as error:
            fault = f"{error.path}: {error.why}"
        if fault and fault != self.fault:
            log.error("%s; the limits from before hold", fault)
        self.fault = fault

    def _read(self) -> dict[str, Domain]:
        domains: dict[str, Domain] = {}
        for path in self._paths:
            domain = _domain_of(path)
            if domain.name in domains:
                raise _FileError(path, f"domain {domain.name!r} is another file's too")
            domains[domain.name] = domain
        return domains


class _FileError(Exception):
    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why


def _domain_of(path: str) -> Domain:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _FileError(path, f"expected a file that can be read: {why}") from None
    try:
        domain = read_ratelimit_yaml(content)
    except YamlFileError as error:
        raise _FileError(path, str(error)) from None
    return domain
