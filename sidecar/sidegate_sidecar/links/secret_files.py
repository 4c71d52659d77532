"""The files of secrets, looked at while nobody shakes hands, so that the log tells of a change."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidegate_sidecar.config import Config

log = logging.getLogger("sidegate")

LOOK_EVERY = 2.0  # seconds: a kubelet takes a minute to bring a new file


async def look_at_secrets(config: Config) -> None:
    """Read what has changed, for ever, and say once if secrets have become the same; no files: end.

    A running sidecar goes on with them all the same: it is no reason to stop.
    """
    said = ""
    files = (config.secret_file, config.node_secret_file, config.http_token_file)
    while held := [file for file in files if file]:
        for file in held:
            file()
        if (fault := config.alike()) and fault != said:
            log.error("secrets: %s", fault)
        said = fault
        await asyncio.sleep(LOOK_EVERY)
